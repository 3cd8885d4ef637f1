"""Decides which text of a PDF page a person can see. Must never trust that text in the file is shown.

A page of dark, opaque text on paper is plain and costs a glance at its objects. On any other page
the doubtful text is tested by painting: the page is rendered with and without it, and text whose
absence changes nothing was never visible (white on white, behind an image, invisible mode, a layer
that is off, clipped away).
"""

from array import array
from bisect import bisect_right
from typing import Any

from treasurer.documents import pdf_calls
from treasurer.documents.pdf_calls import handle
from treasurer.documents.pdf_canvas import PAINTED, READABLE, Canvas, Projection
from treasurer.documents.pdf_objects import LooseBoxes, PageObject, PageObjects, Rectangle

SMALLEST_FONT_PT = 4
"""Below this, print is no longer read: small print on real invoices has five points and more."""

_MAX_SINGLE_TESTS = 200


class VisibleText:
    """The judgement on one page. Hold the text page open while it is used."""

    def __init__(self, page: Any, text_page: Any, count: int) -> None:
        self._page = page
        self._projection = Projection(page)
        self._text_page = handle(text_page)
        self._count = count
        self._box = array("d", [0.0] * 4)
        self._objects = PageObjects(handle(page))
        self._texts = [item for item in self._objects.leaves if item.is_text]
        covers = [item for item in self._objects.leaves if self._objects.may_cover(item)]
        self._papers = [item for item in covers if self._objects.is_paper(item)]
        self._paper_orders = [item.order for item in self._papers]
        papers = set(self._paper_orders)
        self._others = [item for item in covers if item.order not in papers]

    def is_plain(self) -> bool:
        """Whether all text is certainly visible, told by its objects alone."""
        return not any(item.nested or self._doubtful(item, item.bounds) for item in self._texts)

    def hidden_characters(self) -> set[int]:
        """Indexes of the text page's characters that a person cannot see."""
        characters, boxes = self._characters_by_object()
        texts = {item.raw: item for item in self._texts}
        hidden: set[int] = set()
        doubtful: dict[int, PageObject] = {}
        for key, indexes in characters.items():
            item = texts.get(key)
            if (
                item is None
                or self._is_tiny(item, indexes)
                or not self._projection.holds_middle(boxes[key])
            ):
                hidden.update(indexes)
            elif self._doubtful(item, boxes[key]):
                doubtful[key] = item
        return hidden | self._unpainted(doubtful, boxes, characters)

    def _characters_by_object(self) -> tuple[dict[int, list[int]], dict[int, Rectangle]]:
        characters: dict[int, list[int]] = {}
        boxes: dict[int, Rectangle] = {}
        for index in range(self._count):
            key = pdf_calls.get_text_object(self._text_page, index)
            # PDFium puts blanks and line ends between objects, which belong to none.
            if not key:
                continue
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
        start = self._box.buffer_info()[0]
        ends = (start, start + 8, start + 16, start + 24)
        if not pdf_calls.get_char_box(self._text_page, index, *ends):
            return 0.0, 0.0, 0.0, 0.0
        left, right, bottom, top = self._box
        return left, bottom, right, top

    def _is_tiny(self, item: PageObject, indexes: list[int]) -> bool:
        if not item.nested and self._objects.font_size(item.raw) < SMALLEST_FONT_PT:
            return True
        left, bottom, right, top = LooseBoxes(self._text_page).box(indexes[0])
        height, width = abs(top - bottom), abs(right - left)
        # Turned by a quarter, the font's height lies across; the greater side is never too small.
        return bool(max(height, width) < SMALLEST_FONT_PT)

    def _doubtful(self, item: PageObject, box: Rectangle | None) -> bool:
        raw, objects = item.raw, self._objects
        if box is None or not objects.is_plain_ink(raw):
            return True
        if not item.nested and objects.font_size(raw) < SMALLEST_FONT_PT:
            return True
        if not self._projection.holds_middle(box) or objects.in_optional_content(raw):
            return True
        if not item.nested and not objects.clip_holds(raw, box):
            return True
        over = bisect_right(self._paper_orders, item.order)
        return _covered(box, self._others) or _covered(box, self._papers[over:])

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
            if chr(pdf_calls.get_unicode(self._text_page, index)).isalnum()
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


def _covered(box: Rectangle, covers: list[PageObject]) -> bool:
    """Whether one may lie over or under `box`. What a form paints may lie anywhere: its bounds are
    not the page's.
    """
    return any(cover.nested or _overlap(box, cover.bounds) for cover in covers)


def _overlap(one: Rectangle | None, other: Rectangle | None) -> bool:
    if one is None or other is None:
        return True
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
