"""Holds database and chain against the money invariants, from outside of whoever wrote them."""
