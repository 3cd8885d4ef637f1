"""Images and scans: recognised with Tesseract where it is installed, a clear question where it is not."""

import subprocess
import sys
import zlib

import pytest

from tests.support.documents import codes, image_pdf, parse, pdf, text_invoice
from treasurer.documents.extraction import DocumentReaders
from treasurer.documents.limits import Limits
from treasurer.documents.ocr import Tesseract
from treasurer.documents.reading import Outcome, Source

TESSERACT = Tesseract.find()
needs_tesseract = pytest.mark.skipif(TESSERACT is None, reason="tesseract is not installed")


def scan(content: bytes) -> tuple[int, int, bytes]:
    """The first page of a PDF as a grey image: width, height, pixels."""
    drawn = subprocess.run(
        [sys.executable, "-m", "treasurer.documents.scan_child", "1"],
        input=content, stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip
    head, _, pixels = drawn.partition(b"\n")
    _magic, width, height, _most = head.split()
    return int(width), int(height), pixels


def png(width: int, height: int, pixels: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        )

    rows = b"".join(b"\0" + pixels[n * width : (n + 1) * width] for n in range(height))
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def scanned_pdf(width: int, height: int, pixels: bytes) -> bytes:
    """A PDF that holds nothing but that image."""
    return image_pdf(png(width, height, pixels))


def boxes(*rows: tuple[int, int, str]) -> str:
    return "\n".join(
        f"{x},{y},{x + 200},{y},{x + 200},{y + 30},{x},{y + 30},{t}" for x, y, t in rows
    )


RECEIPT = (
    (100, 100, "HALDEN STORES SDN BHD"),
    (100, 140, "GST REG NO. 001948532736"),
    (100, 180, "TAX INVOICE"),
    (100, 220, "INVOICE NO.:"), (400, 222, "CS 10090"),
    (100, 260, "DATE :"), (400, 262, "27/03/2026"),
    (100, 300, "TOTAL EXCL. OF GST"), (400, 301, "122.64"),
    (100, 340, "TOTAL INCL. OF GST"), (400, 341, "130.00"),
    (100, 380, "GST 6%"), (400, 381, "7.36"),
    (100, 420, "AMOUNT(RM)"),
)  # fmt: skip


def test_boxes_are_read_by_their_place_and_always_reviewed():
    reading = parse(boxes(*RECEIPT))
    assert reading.format == "ocr-csv"
    assert reading.outcome is Outcome.REVIEW
    assert codes(reading) == {"OCR_READ"}
    assert reading.fields["seller"] == "HALDEN STORES SDN BHD"
    assert reading.fields["invoice_number"] == "CS 10090"
    assert reading.fields["issue_date"] == "2026-03-27"
    assert reading.fields["payable_amount"] == "130.00"
    assert reading.fields["tax_amount"] == "7.36"
    assert reading.fields["currency"] == "MYR"
    (payable,) = [item for item in reading.evidence if item.field == "payable_amount"]
    assert (payable.source, payable.page, payable.text) == (Source.PAGE, 1, "130.00")
    assert payable.box == (400 * 10_000 // 600, 341 * 10_000 // 450, 10_000, 371 * 10_000 // 450)


def test_an_empty_line_begins_the_next_page():
    reading = parse(
        boxes(*RECEIPT[:4]) + "\n\n" + boxes((100, 100, "Total due:"), (400, 100, "5.00 EUR"))
    )
    (payable,) = [item for item in reading.evidence if item.field == "payable_amount"]
    assert payable.page == 2


@pytest.mark.parametrize("head", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\x00"])
def test_without_recognition_an_image_asks_for_a_person(head):
    with DocumentReaders(limits=Limits(), workers=1) as readers:
        reading = readers.read_document(head + b"0")
    assert reading.outcome is Outcome.REVIEW
    assert codes(reading) == {"IMAGE_NOT_READ", "OCR_NOT_INSTALLED", "MISSING_FIELD"}


@needs_tesseract
def test_an_image_and_a_scan_are_recognised_and_reviewed():
    width, height, pixels = scan(pdf(text_invoice().splitlines()))
    with DocumentReaders(limits=Limits(), workers=1, ocr=TESSERACT) as readers:
        image = readers.read_document(png(width, height, pixels))
        paper = readers.read_document(scanned_pdf(width, height, pixels))
    for reading, format in ((image, "image-scan"), (paper, "pdf-scan")):
        assert reading.format == format
        assert reading.outcome is Outcome.REVIEW
        assert reading.has("OCR_READ")
        assert reading.fields["payable_amount"] == "840.00"
        assert reading.fields["seller"] == "Halden Freight AS"


@needs_tesseract
def test_noise_is_answered():
    with DocumentReaders(limits=Limits(), workers=1, ocr=TESSERACT) as readers:
        reading = readers.read_document(b"\x89PNG\r\n\x1a\nnoise")
    assert {"IMAGE_NOT_READ", "OCR_FAILED"} <= codes(reading)
