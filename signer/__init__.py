"""Owns the keys, as a process of its own. Must never import more of this project than the kernel.

Everything that reaches it over its socket is untrusted. What it may sign stands in files on its own
host: `limits.yaml` (its policy), `journal.bin` (what it signed), `frozen` (stop).
"""
