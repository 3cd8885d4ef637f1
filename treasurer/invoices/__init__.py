"""Invoices: from the document that came in to the claim that may be proposed for payment."""
