import pytest

from tests.support.documents import codes, parse, pdf, text_invoice, ubl_invoice
from treasurer.documents.limits import Limits
from treasurer.documents.reading import Outcome, reading_from_json


@pytest.mark.parametrize(
    ("content", "format"),
    [
        (ubl_invoice(), "ubl-invoice"),
        (b"\xef\xbb\xbf" + ubl_invoice(), "ubl-invoice"),
        (b"\n" + ubl_invoice(), "ubl-invoice"),
        (ubl_invoice().decode().replace("UTF-8", "UTF-16").encode("utf-16"), "ubl-invoice"),
        (pdf(), "pdf"),
        (b"junk before the header\n" + pdf(), "pdf"),
        (b'{"seller": "x"}', "json"),
        (text_invoice().encode(), "text"),
    ],
)
def test_format_is_told_by_content(content, format):
    assert parse(content, filename="invoice.csv").format == format


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "DOCUMENT_EMPTY"),
        (b" \n\t", "DOCUMENT_EMPTY"),
        (b"PK\x03\x04abc", "MEDIA_UNSUPPORTED"),
        (b"\x00\x01\x02\x03", "MEDIA_UNSUPPORTED"),
        (b"<html><body>Total due: 1.00 EUR</body></html>", "XML_UNKNOWN"),
        (b"<Invoice", "XML_BROKEN"),
        (b"x" * 101, "DOCUMENT_TOO_LARGE"),
    ],
)
def test_what_cannot_be_read_is_rejected_with_its_code(content, code):
    reading = parse(content, limits=Limits(document_bytes=100))
    assert reading.outcome is Outcome.REJECTED
    assert codes(reading) == {code}
    assert len(reading.document_sha256) == 64


@pytest.mark.parametrize("declared", ["application/pdf", "image/png"])
def test_wrong_declaration_is_noted_and_not_believed(declared):
    reading = parse(ubl_invoice(), media_type=declared)
    assert reading.outcome is Outcome.ACCEPTED
    assert codes(reading) == {"MEDIA_TYPE_DIFFERS"}


@pytest.mark.parametrize("declared", ["text/xml; charset=utf-8", "application/xml", None])
def test_right_declaration_is_not_noted(declared):
    assert parse(ubl_invoice(), media_type=declared, filename="a.xml").findings == ()


@pytest.mark.parametrize(
    "content", [ubl_invoice(), pdf(), text_invoice().encode(), b"<!DOCTYPE x><x/>"]
)
def test_a_reading_survives_storage(content):
    reading = parse(content)
    assert reading_from_json(reading.to_json()) == reading


def test_the_same_bytes_give_the_same_reading():
    for content in (ubl_invoice(), pdf(), text_invoice().encode()):
        assert parse(content) == parse(content)
