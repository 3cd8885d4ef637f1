"""Owns what PDFium says about the objects of a page: text, and what may lie over or under it.

Must never judge; `pdf_visibility` does. Coordinates are points in the page's own space.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

Rectangle = tuple[float, float, float, float]
"""Left, bottom, right, top."""

FORM_DEPTH = 8
_RENDER_FILL = (pdfium.FPDF_TEXTRENDERMODE_FILL, pdfium.FPDF_TEXTRENDERMODE_FILL_STROKE)
_CLIP_TOLERANCE_PT = 2
"""Descenders and rounding reach a little over the line's own clip."""
_SILENT_ANNOTATIONS = (pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP)
_ANNOTATION_AREA = 9
"""Square points. Invisible signature fields have no area."""
_LIGHT = 200
"""Luminance from which a colour is taken for paper, of 255."""


@dataclass(frozen=True, slots=True)
class PageObject:
    """A leaf of the page's object tree. `order` is the order of painting.

    `bounds` are the page's only where `nested` is false: PDFium gives those of a form's children in
    the form's space.
    """

    raw: Any
    type: int
    order: int
    nested: bool
    bounds: Rectangle | None


def page_objects(page: Any) -> list[PageObject]:
    """All leaves, form XObjects opened down to a fixed depth."""
    leaves: list[PageObject] = []
    for raw in _children(page, pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject):
        _collect(raw, leaves, depth=0)
    return leaves


def _children(parent: Any, count: Any, get: Any) -> Iterator[Any]:
    for index in range(count(parent)):
        raw = get(parent, index)
        if raw:
            yield raw


def _collect(raw: Any, leaves: list[PageObject], *, depth: int) -> None:
    kind = pdfium.FPDFPageObj_GetType(raw)
    if kind == pdfium.FPDF_PAGEOBJ_FORM and depth < FORM_DEPTH:
        for child in _children(raw, pdfium.FPDFFormObj_CountObjects, pdfium.FPDFFormObj_GetObject):
            _collect(child, leaves, depth=depth + 1)
        return
    leaves.append(PageObject(raw, kind, len(leaves), depth > 0, bounds(raw)))


def address(raw: Any) -> int:
    """The identity of an object, whose handles are made anew by every call."""
    return ctypes.addressof(raw.contents)


def bounds(raw: Any) -> Rectangle | None:
    """None when PDFium knows none, as for an object without extent."""
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not pdfium.FPDFPageObj_GetBounds(raw, left, bottom, right, top):
        return None
    return left.value, bottom.value, right.value, top.value


def luminance(raw: Any) -> tuple[int, int] | None:
    """Luminance and alpha of the fill, each 0 to 255; None for patterns and what is not known."""
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not pdfium.FPDFPageObj_GetFillColor(raw, red, green, blue, alpha):
        return None
    return (299 * red.value + 587 * green.value + 114 * blue.value) // 1000, alpha.value


def is_plain_ink(raw: Any) -> bool:
    """Whether a text object is painted dark, opaque and filled."""
    ink = luminance(raw)
    return (
        ink is not None
        and ink[0] < _LIGHT
        and ink[1] == 255
        and pdfium.FPDFTextObj_GetTextRenderMode(raw) in _RENDER_FILL
    )


def font_size(raw: Any) -> float:
    """The size in points as painted, for a text object that is not nested."""
    size = ctypes.c_float()
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFTextObj_GetFontSize(raw, size) or not pdfium.FPDFPageObj_GetMatrix(
        raw, matrix
    ):
        return 0.0
    scale: float = (matrix.c * matrix.c + matrix.d * matrix.d) ** 0.5
    return abs(size.value) * scale


def may_cover(item: PageObject) -> bool:
    """Whether the object paints an area: an image, a shading, a filled path that is no mere rule."""
    if item.type == pdfium.FPDF_PAGEOBJ_TEXT or item.bounds is None:
        return False
    left, bottom, right, top = item.bounds
    if right - left < 3 or top - bottom < 3:
        return False
    if item.type != pdfium.FPDF_PAGEOBJ_PATH:
        return True
    mode, stroke = ctypes.c_int(), ctypes.c_int()
    return not pdfium.FPDFPath_GetDrawMode(item.raw, mode, stroke) or mode.value != 0


def is_paper(item: PageObject) -> bool:
    """Whether a covering object is a light, opaque path, on which dark ink stays readable."""
    ink = luminance(item.raw) if item.type == pdfium.FPDF_PAGEOBJ_PATH else None
    return ink is not None and ink[0] >= _LIGHT and ink[1] == 255


def clip_holds(raw: Any, box: Rectangle) -> bool:
    """Whether every clip of the object is a rectangle around `box`. Other shapes may cut it away."""
    clip = pdfium.FPDFPageObj_GetClipPath(raw)
    for path in range(pdfium.FPDFClipPath_CountPaths(clip) if clip else 0):
        points = _segment_points(clip, path)
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


def _segment_points(clip: Any, path: int) -> list[tuple[float, float]] | None:
    """The corners of a rectangle standing upright, None for any other path."""
    count = pdfium.FPDFClipPath_CountPathSegments(clip, path)
    if not 4 <= count <= 6:
        return None
    points = []
    for index in range(count):
        segment = pdfium.FPDFClipPath_GetPathSegment(clip, path, index)
        x, y = ctypes.c_float(), ctypes.c_float()
        if pdfium.FPDFPathSegment_GetType(
            segment
        ) == pdfium.FPDF_SEGMENT_BEZIERTO or not pdfium.FPDFPathSegment_GetPoint(segment, x, y):
            return None
        points.append((x.value, y.value))
    upright = len({round(x, 2) for x, _y in points}) == 2 == len({round(y, 2) for _x, y in points})
    return points if upright else None


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


def in_optional_content(raw: Any) -> bool:
    """Whether the object belongs to a layer that a viewer may switch off."""
    for index in range(pdfium.FPDFPageObj_CountMarks(raw)):
        mark = pdfium.FPDFPageObj_GetMark(raw, index)
        name = (ctypes.c_ushort * 4)()
        length = ctypes.c_ulong()
        # Three code units and the end mark hold "OC"; longer names do not fit and are none of ours.
        if (
            mark
            and pdfium.FPDFPageObjMark_GetName(mark, name, ctypes.sizeof(name), length)
            and bytes(name)[:4] == b"O\x00C\x00"
        ):
            return True
    return False
