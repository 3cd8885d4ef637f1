"""Owns the view of chains and of the signer. Must never decide what is paid; knows no tenant."""
