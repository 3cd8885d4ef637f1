"""The mailbox that suppliers write to: its mails come in as invoices of the channel `mail`."""
