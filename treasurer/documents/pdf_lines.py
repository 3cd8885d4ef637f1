"""Owns the printed lines of a PDF, visible text only. Must never hand out what nobody can see."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pypdfium2 as pdfium2

from treasurer.documents import pdf_calls
from treasurer.documents.layout import Line, boxed_lines
from treasurer.documents.pdf_calls import handle
from treasurer.documents.pdf_canvas import Projection
from treasurer.documents.pdf_objects import LooseBoxes, Rectangle, annotated
from treasurer.documents.pdf_visibility import VisibleText
from treasurer.documents.reading import Box

_SIDES = 10_000
_LINE = re.compile(r"[^\r\n]+")
_WORD = re.compile(r"[^ \u00a0\t]+")
_NOWHERE = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class PrintedPage:
    """The lines that can be seen, and how many characters cannot.

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
    text, index_at = _without(hidden, text_page, count) if hidden else _characters(text_page, count)
    lines = _Cells(Projection(page.raw), handle(text_page.raw), text, index_at).lines(number)
    return PrintedPage(lines, len(hidden), annotated(page.raw))


_IndexAt = Callable[[int], int]
"""The index in the text page of the character at a place of the text."""


def _without(hidden: set[int], text_page: Any, count: int) -> tuple[str, _IndexAt]:
    """The characters that can be seen."""
    raw = handle(text_page.raw)
    shown = [
        (index, code)
        for index in range(count)
        if index not in hidden and (code := pdf_calls.get_unicode(raw, index))
    ]
    return "".join(chr(code) for _index, code in shown), lambda place: shown[place][0]


def _characters(text_page: Any, count: int) -> tuple[str, _IndexAt]:
    """All characters at once, which is cheaper than one by one. PDFium counts UTF-16 units."""
    text = text_page.get_text_range(0, count)
    if len(text) == count:
        return text, int
    raw = handle(text_page.raw)
    return text, lambda place: pdf_calls.get_char_index(raw, place)


class _Cells:
    """PDFium breaks text into lines, and each line is cut into cells where a wide gap shows."""

    def __init__(self, page: Projection, text_page: int, text: str, index_at: _IndexAt) -> None:
        self._page = page
        self._loose = LooseBoxes(text_page)
        self._text = text
        self._index_at = index_at
        self._pieces: list[tuple[str, Box]] = []

    def lines(self, number: int) -> list[Line]:
        """The lines of page `number`, from top to bottom."""
        for line in _LINE.finditer(self._text):
            self._cut(line.start(), line.end())
        return boxed_lines(self._pieces, number)

    def _cut(self, start: int, end: int) -> None:
        """The cells of one of PDFium's lines. Only the ends of words are measured, which is cheap."""
        words: list[str] = []
        first = last = _NOWHERE
        for match in _WORD.finditer(self._text, start, end):
            left = self._loose.box(self._index_at(match.start()))
            single = match.end() == match.start() + 1
            right = left if single else self._loose.box(self._index_at(match.end() - 1))
            if words:
                height = max(last[3] - last[1], left[3] - left[1])
                gap = left[0] - last[2]
                if 10 * gap > 9 * height or gap < -3 * height:
                    self._put(words, first, last)
                    words = []
            if not words:
                first = left
            words.append(match.group())
            last = right
        if words:
            self._put(words, first, last)

    def _put(self, words: list[str], first: Rectangle, last: Rectangle) -> None:
        # U+FFFE is PDFium's mark for a hyphen at a line's end.
        text = " ".join(words).replace("\ufffe", "-").strip()
        if not text:
            return
        around = (
            min(first[0], last[0]),
            min(first[1], last[1]),
            max(first[2], last[2]),
            max(first[3], last[3]),
        )
        self._pieces.append((text, self._page.project(around, _SIDES, _SIDES)))
