"""Owns the printed lines of a PDF, visible text only. Must never hand out what nobody can see."""

from dataclasses import dataclass
from typing import Any

import pypdfium2 as pdfium2
import pypdfium2.raw as pdfium

from treasurer.documents.layout import Line, boxed_lines
from treasurer.documents.pdf_canvas import Projection
from treasurer.documents.pdf_objects import Rectangle, annotated
from treasurer.documents.pdf_visibility import VisibleText
from treasurer.documents.reading import Box

_SIDES = 10_000
_BLANKS = " \u00a0\t"


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
    """PDFium breaks text into lines, and each line is cut into cells where a wide gap shows."""
    projection = Projection(page.raw)
    pieces: list[tuple[str, Box]] = []
    start = 0
    characters.append((-1, "\n"))
    for position, (_index, character) in enumerate(characters):
        if character in "\r\n":
            if start < position:
                _cut(projection, text_page.raw, characters[start:position], pieces)
            start = position + 1
    return boxed_lines(pieces, number)


def _cut(
    page: Projection, text_page: Any, line: list[tuple[int, str]], pieces: list[tuple[str, Box]]
) -> None:
    """Append the cells of one of PDFium's lines. Only the ends of words are measured, which is cheap."""
    words: list[list[tuple[int, str]]] = [[]]
    for item in line:
        if item[1] not in _BLANKS:
            words[-1].append(item)
        elif words[-1]:
            words.append([])
    measured = [
        (letters, _loose(text_page, letters[0][0]), _loose(text_page, letters[-1][0]))
        for letters in words
        if letters
    ]
    cell: list[tuple[list[tuple[int, str]], Rectangle, Rectangle]] = []
    for word in measured:
        if cell:
            before, after = cell[-1][2], word[1]
            height = max(before[3] - before[1], after[3] - after[1])
            gap = after[0] - before[2]
            if 10 * gap > 9 * height or gap < -3 * height:
                _put(page, cell, pieces)
                cell = []
        cell.append(word)
    if cell:
        _put(page, cell, pieces)


def _put(
    page: Projection,
    cell: list[tuple[list[tuple[int, str]], Rectangle, Rectangle]],
    pieces: list[tuple[str, Box]],
) -> None:
    text = " ".join("".join(character for _i, character in word) for word, _f, _l in cell)
    # U+FFFE is PDFium's mark for a hyphen at a line's end.
    text = text.replace("\ufffe", "-").strip()
    if not text:
        return
    first, last = cell[0][1], cell[-1][2]
    around = (
        min(first[0], last[0]),
        min(first[1], last[1]),
        max(first[2], last[2]),
        max(first[3], last[3]),
    )
    pieces.append((text, page.project(around, _SIDES, _SIDES)))


def _loose(text_page: Any, index: int) -> Rectangle:
    """A character's box with the height of its font, so that a point is as high as a letter."""
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(text_page, index, box)
    return box.left, box.bottom, box.right, box.top
