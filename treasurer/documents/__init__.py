"""Reads a document into fields with evidence. Must never pay, match a payee, or trust what it read."""
