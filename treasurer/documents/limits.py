"""Owns how much a document may cost. Must never be widened by what a document says about itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings of one reading. The child process is ended when it passes the wall or processor time.

    `memory_bytes` bounds its address space. After `documents_a_child` documents a fresh child takes
    over, so that what a parser leaks stays bounded.
    """

    document_bytes: int = 10 * 1024 * 1024
    pages: int = 200
    xml_depth: int = 64
    invoice_lines: int = 10_000
    text_lines: int = 100_000
    parts: int = 200
    wall_s: int = 10
    cpu_s: int = 8
    memory_bytes: int = 1024 * 1024 * 1024
    documents_a_child: int = 500
