"""Decides which text of a PDF page a person can see. Must never trust that text in the file is shown.

A page of dark, opaque text on paper is plain and costs a glance at its objects. On any other page
the doubtful text is tested by painting: the page is rendered with and without it, and text whose
absence changes nothing was never visible (white on white, behind an image, invisible mode, a layer
that is off, clipped away).
"""

import ctypes
from typing import Any

import pypdfium2.raw as pdfium

from treasurer.documents import pdf_objects
from treasurer.documents.pdf_canvas import PAINTED, READABLE, Canvas, Projection
from treasurer.documents.pdf_objects import PageObject, Rectangle

SMALLEST_FONT_PT = 4
"""Below this, print is no longer read: small print on real invoices has five points and more."""

_MAX_SINGLE_TESTS = 200


class VisibleText:
    """The judgement on one page. Hold the text page open while it is used."""

    def __init__(self, page: Any, text_page: Any, count: int) -> None:
        self._page = page
        self._projection = Projection(page)
        self._text_page = text_page
        self._count = count
        self._objects = pdf_objects.page_objects(page)
        self._covers = [
            (item, pdf_objects.is_paper(item))
            for item in self._objects
            if pdf_objects.may_cover(item)
        ]

    def is_plain(self) -> bool:
        """Whether all text is certainly visible, told by its objects alone."""
        return not any(
            item.nested or self._doubtful(item, item.bounds)
            for item in self._objects
            if item.type == pdfium.FPDF_PAGEOBJ_TEXT
        )

    def hidden_characters(self) -> set[int]:
        """Indexes of the text page's characters that a person cannot see."""
        characters, boxes = self._characters_by_object()
        texts = {
            pdf_objects.address(item.raw): item
            for item in self._objects
            if item.type == pdfium.FPDF_PAGEOBJ_TEXT
        }
        hidden: set[int] = set()
        doubtful: dict[int, PageObject] = {}
        for key, indexes in characters.items():
            item = texts.get(key)
            if item is None or self._is_tiny(item, indexes) or self._is_off_page(boxes[key]):
                hidden.update(indexes)
            elif self._doubtful(item, boxes[key]):
                doubtful[key] = item
        return hidden | self._unpainted(doubtful, boxes, characters)

    def _characters_by_object(self) -> tuple[dict[int, list[int]], dict[int, Rectangle]]:
        characters: dict[int, list[int]] = {}
        boxes: dict[int, Rectangle] = {}
        for index in range(self._count):
            raw = pdfium.FPDFText_GetTextObject(self._text_page, index)
            # PDFium puts blanks and line ends between objects, which belong to none.
            if not raw:
                continue
            key = pdf_objects.address(raw)
            characters.setdefault(key, []).append(index)
            box = self._character_box(index)
            known = boxes.get(key, box)
            boxes[key] = (
                min(box[0], known[0]),
                min(box[1], known[1]),
                max(box[2], known[2]),
                max(box[3], known[3]),
            )
        return characters, boxes

    def _character_box(self, index: int) -> Rectangle:
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        pdfium.FPDFText_GetCharBox(self._text_page, index, left, right, bottom, top)
        return left.value, bottom.value, right.value, top.value

    def _is_tiny(self, item: PageObject, indexes: list[int]) -> bool:
        if not item.nested and pdf_objects.font_size(item.raw) < SMALLEST_FONT_PT:
            return True
        box = pdfium.FS_RECTF()
        pdfium.FPDFText_GetLooseCharBox(self._text_page, indexes[0], box)
        height, width = abs(box.top - box.bottom), abs(box.right - box.left)
        # Turned by a quarter, the font's height lies across; the greater side is never too small.
        return bool(max(height, width) < SMALLEST_FONT_PT)

    def _is_off_page(self, box: Rectangle) -> bool:
        left, top, right, bottom = self._projection.project(box, 10_000, 10_000)
        middle_x, middle_y = (left + right) // 2, (top + bottom) // 2
        return not (0 <= middle_x <= 10_000 and 0 <= middle_y <= 10_000)

    def _doubtful(self, item: PageObject, box: Rectangle | None) -> bool:
        raw = item.raw
        if box is None or not pdf_objects.is_plain_ink(raw):
            return True
        if not item.nested and pdf_objects.font_size(raw) < SMALLEST_FONT_PT:
            return True
        if self._is_off_page(box) or pdf_objects.in_optional_content(raw):
            return True
        if not item.nested and not pdf_objects.clip_holds(raw, box):
            return True
        return any(
            # Bounds of what a form paints are not the page's, so it may lie anywhere.
            (cover.nested or _overlap(box, cover.bounds))
            and (cover.order > item.order or not paper)
            for cover, paper in self._covers
        )

    def _unpainted(
        self,
        doubtful: dict[int, PageObject],
        boxes: dict[int, Rectangle],
        characters: dict[int, list[int]],
    ) -> set[int]:
        """Characters of doubtful objects whose absence does not change the painted page."""
        if not doubtful:
            return set()
        canvas = Canvas(self._page)
        full = canvas.paint()
        crowded = {
            key
            for key in doubtful
            if any(other != key and _overlap(boxes[key], boxes[other]) for other in doubtful)
        }
        alone = [key for key in doubtful if key not in crowded]
        unseen: set[int] = set()
        without = canvas.paint_without([doubtful[key].raw for key in alone])
        for key in alone:
            unseen |= self._unseen(canvas, full, without, characters[key])
        # Texts that lie over each other hide each other's difference, so each is lifted by itself.
        for position, key in enumerate(sorted(crowded, key=lambda key: characters[key][0])):
            if position >= _MAX_SINGLE_TESTS:
                unseen.update(characters[key])
                continue
            without = canvas.paint_without([doubtful[key].raw])
            unseen |= self._unseen(canvas, full, without, characters[key])
        return unseen

    def _unseen(self, canvas: Canvas, full: bytes, without: bytes, indexes: list[int]) -> set[int]:
        """Each letter and digit is judged by itself, so that a covered digit is not read. Points and
        commas are too small to judge and follow the rest of their object.
        """
        solid = [
            index
            for index in indexes
            if chr(pdfium.FPDFText_GetUnicode(self._text_page, index)).isalnum()
        ]
        judged = [(index, self._character_box(index)) for index in solid or indexes]
        faint = [
            (index, box)
            for index, box in judged
            if not canvas.differs(full, without, box, READABLE)
        ]
        if 2 * len(faint) >= len(judged):
            return set(indexes)
        return {index for index, box in faint if not canvas.differs(full, without, box, PAINTED)}


def _overlap(one: Rectangle | None, other: Rectangle | None) -> bool:
    if one is None or other is None:
        return True
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
