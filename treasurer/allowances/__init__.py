"""Allowances: what a wallet lets our disperse contract move, as two people agreed."""
