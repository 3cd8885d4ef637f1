"""Owns the printed lines of a PDF, visible text only. Must never hand out what nobody can see."""

import ctypes
from dataclasses import dataclass
from functools import partial
from typing import Any

import pypdfium2 as pdfium2
import pypdfium2.raw as pdfium

from treasurer.documents.labelled import Line
from treasurer.documents.pdf_canvas import to_device
from treasurer.documents.pdf_objects import annotated
from treasurer.documents.pdf_visibility import VisibleText
from treasurer.documents.reading import Box


@dataclass(frozen=True, slots=True)
class PrintedPage:
    """The lines that can be seen, and how many characters cannot. Boxes need the document open.

    `annotated` tells that more is shown than the lines hold: notes, stamps, form fields.
    """

    lines: list[Line]
    hidden_characters: int
    annotated: bool


def printed_page(document: pdfium2.PdfDocument, number: int) -> PrintedPage:
    """Page `number`, counted from 1. Raises PdfiumError for a page that cannot be loaded."""
    page = document[number - 1]
    text_page = page.get_textpage()
    count = text_page.count_chars()
    if count == 0:
        return PrintedPage([], 0, annotated(page.raw))
    sight = VisibleText(page.raw, text_page.raw, count)
    hidden = set() if sight.is_plain() else sight.hidden_characters()
    characters = (
        [
            (index, chr(code))
            for index in range(count)
            if index not in hidden and (code := pdfium.FPDFText_GetUnicode(text_page.raw, index))
        ]
        if hidden
        else _characters(text_page, count)
    )
    return PrintedPage(
        _lines(page, text_page, number, characters), len(hidden), annotated(page.raw)
    )


def _characters(text_page: Any, count: int) -> list[tuple[int, str]]:
    """All characters at once, which is cheaper than one by one. PDFium counts UTF-16 units."""
    text = text_page.get_text_range(0, count)
    if len(text) == count:
        return list(enumerate(text))
    return [
        (pdfium.FPDFText_GetCharIndexFromTextIndex(text_page.raw, position), character)
        for position, character in enumerate(text)
    ]


def _lines(page: Any, text_page: Any, number: int, characters: list[tuple[int, str]]) -> list[Line]:
    lines: list[Line] = []
    start = 0
    characters.append((-1, "\n"))
    for position, (_index, character) in enumerate(characters):
        if character not in "\r\n":
            continue
        printed = characters[start:position]
        start = position + 1
        # U+FFFE is PDFium's mark for a hyphen at a line's end.
        text = "".join(character for _index, character in printed).replace("\ufffe", "-").strip()
        if text:
            locate = partial(_box, page, text_page, printed[0][0], printed[-1][0])
            lines.append(Line(text, len(lines) + 1, number, locate))
    return lines


def _box(page: Any, text_page: Any, first: int, last: int) -> Box | None:
    """In ten-thousandths of the page, from its top left."""
    if first < 0 or last < first:
        return None
    sides: tuple[list[float], ...] = ([], [], [], [])
    for rectangle in range(text_page.count_rects(first, last - first + 1)):
        values = [ctypes.c_double() for _ in range(4)]
        if pdfium.FPDFText_GetRect(text_page.raw, rectangle, *values):
            for side, value in zip(sides, values, strict=True):
                side.append(value.value)
    left, top, right, bottom = sides
    if not left:
        return None
    box = (min(left), min(bottom), max(right), max(top))
    return to_device(page.raw, box, 10_000, 10_000)
