"""Owns how much a document may cost. Must never be widened by what a document says about itself."""

from dataclasses import dataclass

from treasurer.documents.reading import Reading, refusal


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


def check_size(content: bytes, limits: Limits, sha256: str) -> Reading | None:
    """A refusal for an empty document or one over the limit, else None."""
    if not content.strip():
        return refusal(
            "DOCUMENT_EMPTY", "the document has no content; send it again", document_sha256=sha256
        )
    if len(content) > limits.document_bytes:
        return refusal(
            "DOCUMENT_TOO_LARGE",
            f"the document has {len(content)} bytes, {limits.document_bytes} are allowed; send a "
            "smaller one",
            document_sha256=sha256,
        )
    return None
