"""Owns what two documents must share to have the same content. Pure; must never look at the bytes.

Both digests leave the invoice number out: who sends a bill again under another number changes little else.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from treasurer.documents.reading import FieldValue, PrintedLine
from treasurer.kernel.digest import Canonical, canonical_digest

_COMPARED = ("name", "quantity", "unit", "net_amount", "price")
_TEXT_CHARACTERS = 400
"""What fits on a slip says too little: two bills of one day and amount may be the same text."""


def lines_digest(fields: Mapping[str, FieldValue]) -> bytes | None:
    """SHA-256 over the lines' names, quantities and amounts in any order; None where none were read."""
    rows = fields.get("lines")
    if not isinstance(rows, list) or not rows:
        return None
    lines = [
        [_comparable(row.get(name)) for name in _COMPARED] for row in rows if isinstance(row, dict)
    ]
    ordered: list[Canonical] = [list(line) for line in sorted(lines)]
    return canonical_digest({"lines": ordered})


def text_digest(printed: Sequence[PrintedLine], number: str | None, *, dated: bool) -> bytes | None:
    """SHA-256 over what a person sees, less blanks, case and the number. None for a text that prints no
    date: a supplier's bills of two weeks may be the same text then.
    """
    text = _plain("".join(line.text for line in printed))
    if number:
        text = text.replace(_plain(number), "")
    if not dated or len(text) < _TEXT_CHARACTERS:
        return None
    return canonical_digest({"text": text})


def _comparable(value: FieldValue) -> str:
    if not isinstance(value, str):
        return ""
    try:
        return format(Decimal(value).normalize(), "f")
    except InvalidOperation:
        return _plain(value)


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
