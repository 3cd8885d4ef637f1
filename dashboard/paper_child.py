"""The process that draws one page of a stranger's PDF. Must never reach a file or the network.

`python -m dashboard.paper_child count|PAGE` reads the PDF from stdin and writes the number of pages,
or a PNG, to stdout. Standard fonts come from PDFium itself; no font file can be opened.
"""

import os
import resource
import struct
import sys
import zlib

import pypdfium2 as pdfium2
import pypdfium2.raw as pdfium

WIDTH_PX = 1100
HEIGHT_PX = 2200
_MOST_BYTES = 16 * 1024 * 1024
_CPU_S = 10
_MEMORY_BYTES = 1024 * 1024 * 1024


def main() -> None:
    """One document, one answer. Any failure is an exit status other than 0."""
    content = sys.stdin.buffer.read(_MOST_BYTES)
    _lock_down()
    pdf = pdfium2.PdfDocument(content)
    what = sys.argv[1]
    answer = str(len(pdf)).encode() if what == "count" else _drawn(pdf, int(what))
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    # Nothing of the document is worth an orderly end.
    os._exit(0)


def _lock_down() -> None:
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _drawn(pdf: pdfium2.PdfDocument, number: int) -> bytes:
    page = pdf[number - 1]
    width, height = page.get_size()
    scale = min(WIDTH_PX / max(width, 1), HEIGHT_PX / max(height, 1))
    bitmap = page.render(scale=scale, rev_byteorder=True, force_bitmap_format=pdfium.FPDFBitmap_BGR)
    return png(bitmap.width, bitmap.height, bitmap.stride, bytes(bitmap.buffer))


def png(width: int, height: int, stride: int, pixels: bytes) -> bytes:
    """An RGB image (ISO/IEC 15948), rows unfiltered. `stride` is the bytes from row to row."""
    rows = b"".join(
        b"\0" + pixels[start : start + 3 * width] for start in range(0, height * stride, stride)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows, 6))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    main()
