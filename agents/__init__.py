"""Graphs that read and propose. They hold no key and no database session, and never execute."""
