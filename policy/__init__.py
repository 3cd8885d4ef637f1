"""The pure policy engine: facts in, decision out. No I/O, no clock, no binary fractions."""
