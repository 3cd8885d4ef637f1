"""Owns the sources and compiled artifacts of our contracts. Must never be needed on a real network."""
