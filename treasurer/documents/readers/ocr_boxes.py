"""Reads recognised characters: lines of `x1,y1,x2,y2,x3,y3,x4,y4,text`, in pixels, clockwise from the top
left. An empty line begins the next page. Must never let what was recognised pass without a person.
"""

import re

from treasurer.documents.draft import Draft, Refused
from treasurer.documents.labelled import read_labelled
from treasurer.documents.layout import Line, boxed_lines
from treasurer.documents.media import Document, Kind
from treasurer.documents.reading import Box

_BOX = re.compile(
    r"(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6}),(.*)"
)
_SIDES = 10_000
_LOOKED_AT = 5


class OcrBoxesReader:
    """Boxes become lines by their height on the page, as those of a PDF do."""

    format = "ocr-csv"

    def claims(self, document: Document) -> bool:
        if document.kind is not Kind.TEXT:
            return False
        first = (document.text or "")[:2_000].lstrip("\ufeff\r\n").splitlines()[:_LOOKED_AT]
        return bool(first) and all(not line or _BOX.fullmatch(line) for line in first[:-1] or first)

    def read(self, document: Document) -> Draft:
        draft = Draft(self.format, structured=False)
        lines = _lines(document)
        if not lines:
            raise Refused("DOCUMENT_EMPTY", "nothing was recognised; send a better scan")
        read_labelled(draft, lines)
        draft.review(
            "OCR_READ", "the fields were recognised on an image; compare them with it by eye"
        )
        return draft


def _lines(document: Document) -> list[Line]:
    lines: list[Line] = []
    rows = (document.text or "").strip("\ufeff\r\n").splitlines()
    if len(rows) > document.limits.text_lines:
        raise Refused("TOO_MANY_LINES", "there is too much text for an invoice")
    page: list[tuple[str, tuple[int, ...]]] = []
    number = 1
    for row in [*rows, ""]:
        match = _BOX.fullmatch(row)
        if match is not None:
            page.append((match[9].strip(), tuple(int(match[side]) for side in range(1, 9))))
        elif page:
            lines += boxed_lines(_scaled(page), number)
            page, number = [], number + 1
    return lines


def _scaled(page: list[tuple[str, tuple[int, ...]]]) -> list[tuple[str, Box]]:
    """In ten-thousandths of what the boxes cover, because the size of the image is not told."""
    width = max(max(corners[::2]) for _text, corners in page) or 1
    height = max(max(corners[1::2]) for _text, corners in page) or 1
    return [
        (
            text,
            (
                min(corners[::2]) * _SIDES // width,
                min(corners[1::2]) * _SIDES // height,
                max(corners[::2]) * _SIDES // width,
                max(corners[1::2]) * _SIDES // height,
            ),
        )
        for text, corners in page
        if text
    ]
