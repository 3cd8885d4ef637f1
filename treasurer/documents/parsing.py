"""Reads a document in this process. Only the child process calls it on a stranger's bytes.

Must never let a reader's exception carry document text out.
"""

import hashlib
from pathlib import PurePath

from treasurer.documents.checks import check
from treasurer.documents.draft import Draft, Refused
from treasurer.documents.limits import Limits, check_size
from treasurer.documents.media import Document, Kind
from treasurer.documents.readers.registry import reader_for
from treasurer.documents.reading import Reading, refusal

_FAMILIES = {
    Kind.PDF: "pdf",
    Kind.XML: "xml",
    Kind.JSON: "json",
    Kind.TEXT: "text",
    Kind.MAIL: "rfc822",
    Kind.IMAGE: "image",
}
_SUFFIXES = {
    ".pdf": Kind.PDF.value,
    ".xml": Kind.XML.value,
    ".json": Kind.JSON.value,
    ".txt": Kind.TEXT.value,
    ".csv": Kind.TEXT.value,
    ".eml": Kind.MAIL.value,
}


def parse_document(
    content: bytes, *, filename: str | None, media_type: str | None, limits: Limits
) -> Reading:
    """The checked reading. Name and type are what the sender declared, and only compared."""
    sha256 = hashlib.sha256(content).hexdigest()
    too_large = check_size(content, limits, sha256)
    if too_large is not None:
        return too_large
    document = Document(content, limits)
    try:
        kind = document.kind
        draft = reader_for(document).read(document)
        _compare_declared(draft, media_type or _SUFFIXES.get(_suffix(filename)), kind)
        if not draft.parts:
            check(draft)
        elif len(draft.parts) > limits.parts:
            raise Refused(
                "TOO_MANY_DOCUMENTS",
                f"the file holds {len(draft.parts)} documents, {limits.parts} are allowed; split it",
            )
    except Refused as refused:
        return refusal(
            refused.code,
            refused.message,
            document_sha256=sha256,
            format=document.kind.name.lower(),
            media_type=document.kind.value,
        )
    return draft.finish(document_sha256=sha256, media_type=kind.value)


def _suffix(filename: str | None) -> str:
    return PurePath(filename or "").suffix.lower()


def _compare_declared(draft: Draft, media_type: str | None, kind: Kind) -> None:
    declared = (media_type or "").partition(";")[0].strip().lower()
    if declared and declared != Kind.BINARY.value and _FAMILIES.get(kind, "") not in declared:
        draft.note(
            "MEDIA_TYPE_DIFFERS",
            f"declared as {declared[:80]}, read as {kind.value}; nothing to do",
        )
