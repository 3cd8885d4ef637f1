"""Payments: the intent to pay a payee, from proposal to settlement."""
