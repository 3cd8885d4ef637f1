"""Purchases: what was ordered and received, against which invoices are held."""
