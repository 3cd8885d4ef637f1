"""Paints a PDF page in memory, so that what is seen can be compared. Must never judge text itself."""

import ctypes
from typing import Any

import pypdfium2.raw as pdfium

from treasurer.documents import pdf_calls
from treasurer.documents.pdf_objects import Rectangle

READABLE = 40
"""Grey levels of 255 that a pixel must change by; fainter ink is not noticed."""
PAINTED = 12
"""Less than that is not there at all. A thin stroke reaches more, though not `READABLE`."""
_SCALE = 1.5
_MAX_PIXELS = 4_000_000
_LARGE = 1_000_000_000
_STEP = 1_000
_FINE = 10_000


class Canvas:
    """Paints the page in grey, white where nothing stands."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._projection = Projection(page)
        width, height = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
        scale = min(_SCALE, (_MAX_PIXELS / max(width * height, 1)) ** 0.5)
        self.width, self.height = max(int(width * scale), 1), max(int(height * scale), 1)

    def paint(self) -> bytes:
        size = self.width * self.height
        buffer = (ctypes.c_ubyte * size)()
        bitmap = pdfium.FPDFBitmap_CreateEx(
            self.width, self.height, pdfium.FPDFBitmap_Gray, buffer, self.width
        )
        try:
            pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, self.width, self.height, 0xFFFFFFFF)
            pdfium.FPDF_RenderPageBitmap(
                bitmap, self._page, 0, 0, self.width, self.height, 0, pdfium.FPDF_ANNOT
            )
            return bytes(buffer)
        finally:
            pdfium.FPDFBitmap_Destroy(bitmap)

    def paint_without(self, raws: list[int]) -> bytes:
        for raw in raws:
            pdf_calls.set_active(raw, False)
        try:
            return self.paint()
        finally:
            for raw in raws:
                pdf_calls.set_active(raw, True)

    def differs(self, one: bytes, other: bytes, box: Rectangle, contrast: int) -> bool:
        """Whether the two paintings differ inside a character's `box` by `contrast` grey levels.

        The change must run through a good part of its height: a white letter over a thin rule
        leaves a few specks, not a letter.
        """
        left, top, right, bottom = self._projection.project(box, self.width, self.height)
        left, right = max(left, 0), min(right + 1, self.width)
        top, bottom = max(top, 0), min(bottom + 1, self.height)
        changed_rows = 0
        for row in range(top, bottom):
            start, end = row * self.width + left, row * self.width + right
            if one[start:end] != other[start:end] and any(
                abs(before - after) >= contrast
                for before, after in zip(one[start:end], other[start:end], strict=True)
            ):
                changed_rows += 1
        return changed_rows > 0 and 5 * changed_rows >= 2 * (bottom - top)


class Projection:
    """The page's own space onto a canvas: asked of PDFium once, because each question costs."""

    def __init__(self, page: Any) -> None:
        origin, right, up = (_to_large(page, *point) for point in ((0, 0), (_STEP, 0), (0, _STEP)))
        self._origin = origin
        self._right = (right[0] - origin[0]) / _STEP, (right[1] - origin[1]) / _STEP
        self._up = (up[0] - origin[0]) / _STEP, (up[1] - origin[1]) / _STEP

    def project(self, box: Rectangle, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of `box` on a canvas of that size."""
        x0, y0, x1, y1 = self._corners(box, width, height)
        left, right = (x0, x1) if x0 <= x1 else (x1, x0)
        top, bottom = (y0, y1) if y0 <= y1 else (y1, y0)
        return left, top, right, bottom

    def holds_middle(self, box: Rectangle) -> bool:
        """Whether the middle of `box` lies on the page."""
        x0, y0, x1, y1 = self._corners(box, _FINE, _FINE)
        return 0 <= (x0 + x1) // 2 <= _FINE and 0 <= (y0 + y1) // 2 <= _FINE

    def _corners(self, box: Rectangle, width: int, height: int) -> tuple[int, int, int, int]:
        left, bottom, right, top = box
        origin_x, origin_y = self._origin
        right_x, right_y = self._right
        up_x, up_y = self._up
        return (
            int((origin_x + left * right_x + bottom * up_x) / _LARGE * width),
            int((origin_y + left * right_y + bottom * up_y) / _LARGE * height),
            int((origin_x + right * right_x + top * up_x) / _LARGE * width),
            int((origin_y + right * right_y + top * up_y) / _LARGE * height),
        )


def _to_large(page: Any, x: int, y: int) -> tuple[int, int]:
    device_x, device_y = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(page, 0, 0, _LARGE, _LARGE, 0, x, y, device_x, device_y)
    return device_x.value, device_y.value
