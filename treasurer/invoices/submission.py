"""Owns what a submitted document must be before it is stored. Pure; must never believe its sender.

What the bytes are is told when they are read; here only size and names are looked at.
"""

import hashlib
import re
import unicodedata

from treasurer.documents.limits import Limits
from treasurer.invoices.model import InvoiceDocument
from treasurer.kernel.errors import InvalidInput

_CHANNEL = re.compile(r"[a-z][a-z_]{0,19}", re.ASCII)
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,60}/[A-Za-z0-9.+-]{1,60}", re.ASCII)


def submitted_document(
    content: bytes, *, filename: str | None, media_type: str | None, limits: Limits
) -> InvoiceDocument:
    """The document to store. Raises InvalidInput DOCUMENT_EMPTY or DOCUMENT_TOO_LARGE."""
    if not content.strip():
        raise InvalidInput("DOCUMENT_EMPTY", "the document has no content; send it again")
    if len(content) > limits.document_bytes:
        raise InvalidInput(
            "DOCUMENT_TOO_LARGE",
            f"a document has at most {limits.document_bytes} bytes; send a smaller one",
            bytes=len(content),
        )
    return InvoiceDocument(
        content=content,
        media_type=_declared(media_type),
        filename=_display_name(filename),
        sha256=hashlib.sha256(content).digest(),
    )


def require_channel(channel: str) -> str:
    """Return `channel`; raise InvalidInput unless it is one lower-case word."""
    if not _CHANNEL.fullmatch(channel):
        raise InvalidInput("CHANNEL", "a channel is one lower-case word, such as api")
    return channel


def _declared(media_type: str | None) -> str:
    plain = (media_type or "").partition(";")[0].strip().lower()
    return plain if _MEDIA_TYPE.fullmatch(plain) else "application/octet-stream"


def _display_name(name: str | None) -> str | None:
    """The last part of the name, without characters that hide, reorder or break lines."""
    if not name:
        return None
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(character for character in last if unicodedata.category(character)[0] != "C")
    return kept.strip()[-200:] or None
