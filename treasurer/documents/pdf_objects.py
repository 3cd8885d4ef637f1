"""Owns what PDFium says about the objects of a page: text, and what may lie over or under it.

Must never judge; `pdf_visibility` does. Coordinates are points in the page's own space.
"""

from array import array
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from treasurer.documents import pdf_calls

Rectangle = tuple[float, float, float, float]
"""Left, bottom, right, top."""

FORM_DEPTH = 8
_RENDER_FILL = (pdfium.FPDF_TEXTRENDERMODE_FILL, pdfium.FPDF_TEXTRENDERMODE_FILL_STROKE)
_CLIP_TOLERANCE_PT = 2
"""Descenders and rounding reach a little over the line's own clip."""
_SILENT_ANNOTATIONS = (pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP)
_ANNOTATION_AREA = 9
"""Square points. Invisible signature fields have no area."""
_NARROWEST = 4
"""How much narrower than high a letter may be drawn; condensed faces stay well above it."""
_LIGHT = 200
"""Luminance from which a colour is taken for paper, of 255."""
_TEXT, _PATH, _FORM = pdfium.FPDF_PAGEOBJ_TEXT, pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_FORM
_BEZIER = pdfium.FPDF_SEGMENT_BEZIERTO
_O, _C = ord("O"), ord("C")


class PageObject(NamedTuple):
    """A leaf of the page's object tree. `order` is the order of painting.

    `bounds` are the page's only where `nested` is false: PDFium gives those of a form's children in
    the form's space. A tuple, because a page has hundreds.
    """

    raw: int
    type: int
    order: int
    nested: bool
    bounds: Rectangle | None

    @property
    def is_text(self) -> bool:
        return bool(self.type == _TEXT)


class PageObjects:
    """The objects of one open page, and what can be asked of them. For one thread."""

    def __init__(self, page: int) -> None:
        self._four = array("f", [0.0] * 4)
        self._colour = array("I", [0] * 4)
        self._six = array("f", [0.0] * 6)
        self._two = array("i", [0] * 2)
        self._name = array("H", [0] * 4)
        self._length = array("L", [0])
        self._bounds = [self._four.buffer_info()[0] + 4 * index for index in range(4)]
        self._rgba = [self._colour.buffer_info()[0] + 4 * index for index in range(4)]
        self._matrix = self._six.buffer_info()[0]
        self.leaves: list[PageObject] = []
        """All leaves, form XObjects opened down to a fixed depth."""
        for raw in _children(page, pdf_calls.count_objects, pdf_calls.get_object):
            self._collect(raw, depth=0)

    def _collect(self, raw: int, *, depth: int) -> None:
        kind = pdf_calls.get_type(raw)
        if kind == _FORM and depth < FORM_DEPTH:
            for child in _children(raw, pdf_calls.count_form_objects, pdf_calls.get_form_object):
                self._collect(child, depth=depth + 1)
            return
        self.leaves.append(PageObject(raw, kind, len(self.leaves), depth > 0, self.bounds(raw)))

    def bounds(self, raw: int) -> Rectangle | None:
        """None when PDFium knows none, as for an object without extent."""
        if not pdf_calls.get_bounds(raw, *self._bounds):
            return None
        left, bottom, right, top = self._four
        return left, bottom, right, top

    def luminance(self, raw: int) -> tuple[int, int] | None:
        """Luminance and alpha of the fill, each 0 to 255; None for patterns and what is not known."""
        if not pdf_calls.get_fill_color(raw, *self._rgba):
            return None
        red, green, blue, alpha = self._colour
        return (299 * red + 587 * green + 114 * blue) // 1000, alpha

    def is_plain_ink(self, raw: int) -> bool:
        """Whether a text object is painted dark, opaque and filled."""
        ink = self.luminance(raw)
        return (
            ink is not None
            and ink[0] < _LIGHT
            and ink[1] == 255
            and pdf_calls.get_render_mode(raw) in _RENDER_FILL
        )

    def font_size(self, raw: int) -> float:
        """The size in points as painted, for a text object that is not nested. Letters squeezed to less
        than a quarter of their width are read no better than those that are as much smaller.
        """
        if not pdf_calls.get_font_size(raw, self._bounds[0]):
            return 0.0
        if not pdf_calls.get_matrix(raw, self._matrix):
            return 0.0
        a, b, c, d, _e, _f = self._six
        height, width = (c * c + d * d) ** 0.5, (a * a + b * b) ** 0.5
        return abs(self._four[0]) * float(min(height, _NARROWEST * width))

    def may_cover(self, item: PageObject) -> bool:
        """Whether the object paints an area: an image, a shading, a filled path that is no mere rule."""
        if item.type == _TEXT or item.bounds is None:
            return False
        left, bottom, right, top = item.bounds
        if right - left < 3 or top - bottom < 3:
            return False
        if item.type != _PATH:
            return True
        mode = self._two.buffer_info()[0]
        return not pdf_calls.get_draw_mode(item.raw, mode, mode + 4) or self._two[0] != 0

    def is_paper(self, item: PageObject) -> bool:
        """Whether a covering object is a light, opaque path, on which dark ink stays readable."""
        ink = self.luminance(item.raw) if item.type == _PATH else None
        return ink is not None and ink[0] >= _LIGHT and ink[1] == 255

    def clip_holds(self, raw: int, box: Rectangle) -> bool:
        """Whether every clip of the object is a rectangle around `box`. Other shapes may cut it away."""
        clip = pdf_calls.get_clip_path(raw)
        for path in range(pdf_calls.count_clip_paths(clip) if clip else 0):
            points = self._segment_points(clip, path)
            if points is None:
                return False
            xs, ys = [x for x, _y in points], [y for _x, y in points]
            if (
                min(xs) > box[0] + _CLIP_TOLERANCE_PT
                or min(ys) > box[1] + _CLIP_TOLERANCE_PT
                or max(xs) < box[2] - _CLIP_TOLERANCE_PT
                or max(ys) < box[3] - _CLIP_TOLERANCE_PT
            ):
                return False
        return True

    def _segment_points(self, clip: int, path: int) -> list[tuple[float, float]] | None:
        """The corners of a rectangle standing upright, None for any other path."""
        count = pdf_calls.count_segments(clip, path)
        if not 4 <= count <= 6:
            return None
        points = []
        x, y = self._bounds[:2]
        for index in range(count):
            segment = pdf_calls.get_segment(clip, path, index)
            if pdf_calls.get_segment_type(segment) == _BEZIER:
                return None
            if not pdf_calls.get_segment_point(segment, x, y):
                return None
            points.append((self._four[0], self._four[1]))
        upright = (
            len({round(x, 2) for x, _y in points}) == 2 == len({round(y, 2) for _x, y in points})
        )
        return points if upright else None

    def in_optional_content(self, raw: int) -> bool:
        """Whether the object belongs to a layer that a viewer may switch off."""
        for index in range(pdf_calls.count_marks(raw)):
            mark = pdf_calls.get_mark(raw, index)
            self._name[0] = 0
            # Three code units and the end mark hold "OC"; longer names do not fit and are none of ours.
            if (
                mark
                and pdf_calls.get_mark_name(
                    mark, self._name.buffer_info()[0], 8, self._length.buffer_info()[0]
                )
                and self._name[0] == _O
                and self._name[1] == _C
            ):
                return True
        return False


class LooseBoxes:
    """Characters' boxes with the height of their font, so that a point is as high as a letter."""

    def __init__(self, text_page: int) -> None:
        self._text_page = text_page
        self._four = array("f", [0.0] * 4)
        self._address = self._four.buffer_info()[0]

    def box(self, index: int) -> Rectangle:
        """Empty for a character that PDFium does not know."""
        if not pdf_calls.get_loose_char_box(self._text_page, index, self._address):
            return 0.0, 0.0, 0.0, 0.0
        left, top, right, bottom = self._four
        return left, bottom, right, top


def _children(
    parent: int, count: Callable[[int], int], get: Callable[[int, int], int | None]
) -> Iterator[int]:
    for index in range(count(parent)):
        raw = get(parent, index)
        if raw:
            yield raw


def annotated(page: Any) -> bool:
    """Whether the page shows annotations or form fields, whose text the text layer does not hold."""
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        try:
            rectangle = pdfium.FS_RECTF()
            if pdfium.FPDFAnnot_GetSubtype(annotation) in _SILENT_ANNOTATIONS:
                continue
            if not pdfium.FPDFAnnot_GetRect(annotation, rectangle):
                continue
            width = abs(rectangle.right - rectangle.left)
            if width * abs(rectangle.top - rectangle.bottom) > _ANNOTATION_AREA:
                return True
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)
    return False
