"""Owns the sources and compiled artifacts of our contracts: the disperse contract, and test tokens.

Must never be needed to read a chain. `testing/` holds tokens that misbehave, for tests alone.
"""
