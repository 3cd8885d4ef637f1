"""Our own invoices and policies: what the demonstration and the tests run on."""
