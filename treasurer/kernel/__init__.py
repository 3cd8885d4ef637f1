"""Words shared by every process: money, orders, errors. Standard library only; no I/O, no clock."""
