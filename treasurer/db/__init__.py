"""Owns connections, roles and the scope of each unit of work. Must never know a noun."""
