"""Owns quick calls of PDFium, which takes thousands of small questions a page.

Must never be asked with a handle whose page is closed. A handle is an address as a plain integer, and
answers that are several numbers go into a buffer whose address is handed over: the binding's own
wrappers make half a dozen objects for each question, which cost more than PDFium's answer.
"""

import ctypes
from typing import Any

import pypdfium2.raw as pdfium

_ADDRESS, _INT, _COUNT = ctypes.c_void_p, ctypes.c_int, ctypes.c_ulong


def handle(raw: Any) -> int:
    """The address behind a handle of the binding."""
    address = ctypes.cast(raw, ctypes.c_void_p).value
    if address is None:
        raise ValueError("the handle is null")
    return address


def _quick(function: Any, returns: Any, *takes: Any) -> Any:
    # It keeps the interpreter's lock, because taking it back would cost more than the answer.
    return ctypes.PYFUNCTYPE(returns, *takes)(handle(function))


count_objects = _quick(pdfium.FPDFPage_CountObjects, _INT, _ADDRESS)
get_object = _quick(pdfium.FPDFPage_GetObject, _ADDRESS, _ADDRESS, _INT)
count_form_objects = _quick(pdfium.FPDFFormObj_CountObjects, _INT, _ADDRESS)
get_form_object = _quick(pdfium.FPDFFormObj_GetObject, _ADDRESS, _ADDRESS, _COUNT)
get_type = _quick(pdfium.FPDFPageObj_GetType, _INT, _ADDRESS)
get_bounds = _quick(
    pdfium.FPDFPageObj_GetBounds, _INT, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS
)
get_fill_color = _quick(
    pdfium.FPDFPageObj_GetFillColor, _INT, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS
)
get_matrix = _quick(pdfium.FPDFPageObj_GetMatrix, _INT, _ADDRESS, _ADDRESS)
set_active = _quick(pdfium.FPDFPageObj_SetIsActive, _INT, _ADDRESS, _INT)
get_render_mode = _quick(pdfium.FPDFTextObj_GetTextRenderMode, _INT, _ADDRESS)
get_font_size = _quick(pdfium.FPDFTextObj_GetFontSize, _INT, _ADDRESS, _ADDRESS)
get_draw_mode = _quick(pdfium.FPDFPath_GetDrawMode, _INT, _ADDRESS, _ADDRESS, _ADDRESS)
count_marks = _quick(pdfium.FPDFPageObj_CountMarks, _INT, _ADDRESS)
get_mark = _quick(pdfium.FPDFPageObj_GetMark, _ADDRESS, _ADDRESS, _COUNT)
get_mark_name = _quick(pdfium.FPDFPageObjMark_GetName, _INT, _ADDRESS, _ADDRESS, _COUNT, _ADDRESS)
get_clip_path = _quick(pdfium.FPDFPageObj_GetClipPath, _ADDRESS, _ADDRESS)
count_clip_paths = _quick(pdfium.FPDFClipPath_CountPaths, _INT, _ADDRESS)
count_segments = _quick(pdfium.FPDFClipPath_CountPathSegments, _INT, _ADDRESS, _INT)
get_segment = _quick(pdfium.FPDFClipPath_GetPathSegment, _ADDRESS, _ADDRESS, _INT, _INT)
get_segment_type = _quick(pdfium.FPDFPathSegment_GetType, _INT, _ADDRESS)
get_segment_point = _quick(pdfium.FPDFPathSegment_GetPoint, _INT, _ADDRESS, _ADDRESS, _ADDRESS)
get_text_object = _quick(pdfium.FPDFText_GetTextObject, _ADDRESS, _ADDRESS, _INT)
get_char_box = _quick(
    pdfium.FPDFText_GetCharBox, _INT, _ADDRESS, _INT, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS
)
get_loose_char_box = _quick(pdfium.FPDFText_GetLooseCharBox, _INT, _ADDRESS, _INT, _ADDRESS)
get_unicode = _quick(pdfium.FPDFText_GetUnicode, ctypes.c_uint, _ADDRESS, _INT)
get_char_index = _quick(pdfium.FPDFText_GetCharIndexFromTextIndex, _INT, _ADDRESS, _INT)
