"""The process that draws one page of a scanned PDF in grey. Must never reach a file or the network.

`python -m treasurer.documents.scan_child PAGE` reads the PDF from stdin and writes a PGM to stdout.
"""

import os
import resource
import sys

import pypdfium2 as pdfium2
import pypdfium2.raw as pdfium

_DPI = 200
_MOST_PIXELS = 12_000_000
_CPU_S = 10
_MEMORY_BYTES = 1024 * 1024 * 1024


def main() -> None:
    """One page, one answer. Any failure is an exit status other than 0."""
    content = sys.stdin.buffer.read()
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    page = pdfium2.PdfDocument(content)[int(sys.argv[1]) - 1]
    width, height = page.get_size()
    scale = min(_DPI / 72, (_MOST_PIXELS / max(width * height, 1)) ** 0.5)
    bitmap = page.render(scale=scale, force_bitmap_format=pdfium.FPDFBitmap_Gray)
    rows = bytes(bitmap.buffer)
    sys.stdout.buffer.write(b"P5 %d %d 255\n" % (bitmap.width, bitmap.height))
    for start in range(0, bitmap.height * bitmap.stride, bitmap.stride):
        sys.stdout.buffer.write(rows[start : start + bitmap.width])
    sys.stdout.buffer.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
