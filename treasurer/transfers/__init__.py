"""Transfers as people see them: what is quarantined, and how two of them resolve it."""
