"""Paints a PDF page in memory, so that what is seen can be compared. Must never judge text itself."""

import ctypes
from typing import Any

import pypdfium2.raw as pdfium

from treasurer.documents.pdf_objects import Rectangle

READABLE = 40
"""Grey levels of 255 that a pixel must change by; fainter ink is not noticed."""
PAINTED = 12
"""Less than that is not there at all. A thin stroke reaches more, though not `READABLE`."""
_SCALE = 1.5
_MAX_PIXELS = 4_000_000


class Canvas:
    """Paints the page in grey, white where nothing stands."""

    def __init__(self, page: Any) -> None:
        self._page = page
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

    def paint_without(self, raws: list[Any]) -> bytes:
        for raw in raws:
            pdfium.FPDFPageObj_SetIsActive(raw, False)
        try:
            return self.paint()
        finally:
            for raw in raws:
                pdfium.FPDFPageObj_SetIsActive(raw, True)

    def differs(self, one: bytes, other: bytes, box: Rectangle, contrast: int) -> bool:
        """Whether the two paintings differ inside a character's `box` by `contrast` grey levels.

        The change must run through a good part of its height: a white letter over a thin rule
        leaves a few specks, not a letter.
        """
        left, top, right, bottom = to_device(self._page, box, self.width, self.height)
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


def to_device(page: Any, box: Rectangle, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of `box` on a canvas of that size, with the page's rotation."""
    corners = []
    for x, y in ((box[0], box[1]), (box[2], box[3])):
        device_x, device_y = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, device_x, device_y)
        corners.append((device_x.value, device_y.value))
    (x0, y0), (x1, y1) = corners
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
