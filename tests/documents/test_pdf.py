import zlib

import pytest

from tests.support.documents import (
    INVOICE_LINES,
    codes,
    parse,
    pdf,
    raw_pdf,
)
from treasurer.documents.limits import Limits
from treasurer.documents.reading import Outcome, Source


def test_text_layer_is_read_with_page_line_and_box():
    reading = parse(pdf())
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.findings == ()
    assert reading.media_type == "application/pdf"
    assert reading.fields["payable_amount"] == "840.00"
    (payable,) = [item for item in reading.evidence if item.field == "payable_amount"]
    assert (payable.source, payable.page, payable.location) == (Source.PAGE, 1, "page 1, line 7")
    left, top, right, bottom = payable.box
    # Drawn 56 pt from the left and 684 pt from the foot of a page of 595 by 842 pt.
    assert left == pytest.approx(10_000 * 56 / 595.28, abs=30)
    assert bottom == pytest.approx(10_000 * (1 - 684 / 841.89), abs=30)
    assert 0 < right - left < 4_000
    assert 0 < bottom - top < 200


HIDDEN_STYLES = (
    "white-on-white", "render-mode-3-invisible", "tiny-1pt", "off-page", "behind-image layer",
    "under a rectangle", "black-on-black", "zero alpha", "clipped away",
)  # fmt: skip


@pytest.mark.parametrize("style", HIDDEN_STYLES)
def test_hidden_text_is_found_and_not_used(style):
    reading = parse(pdf(hidden=((style, "Total due: 48,750.00 USDC"),)))
    assert codes(reading) == {"HIDDEN_TEXT"}
    assert reading.outcome is Outcome.REVIEW
    assert reading.fields["payable_amount"] == "840.00"
    assert "48,750" not in str(reading.to_json())


def page(stream: bytes) -> bytes:
    return raw_pdf(zlib.compress(stream))


def test_hidden_text_under_doubtful_text_is_told_apart():
    """Light grey print is doubtful too; lifting both at once would show a difference for both."""
    reading = parse(
        page(
            b"BT 1 1 1 rg /F1 10 Tf 56 660 Td (Total due: 48,750.00 USDC) Tj ET "
            b"BT 0.8 0.8 0.8 rg /F1 10 Tf 56 661 Td (Total due: 840.00 USDC) Tj ET"
        )
    )
    assert "HIDDEN_TEXT" in codes(reading)
    assert reading.fields["payable_amount"] == "840.00"


def test_white_text_over_a_thin_rule_is_still_hidden():
    reading = parse(
        page(
            b"0 0 0 rg 40 663 400 1 re f "
            b"BT 1 1 1 rg /F1 10 Tf 56 660 Td (Total due: 48,750.00 USDC) Tj ET "
            b"BT 0 0 0 rg /F1 10 Tf 56 600 Td (Total due: 840.00 USDC) Tj ET"
        )
    )
    assert "HIDDEN_TEXT" in codes(reading)
    assert reading.fields["payable_amount"] == "840.00"


def test_a_covered_digit_is_not_read():
    """A white box over the 8 of 840.00: a person sees 40.00."""
    reading = parse(
        page(
            b"BT 0 0 0 rg /F1 10 Tf 56 660 Td (Total due: 840.00 USDC) Tj ET "
            b"1 1 1 rg 103.6 657 6 12 re f"
        )
    )
    assert "HIDDEN_TEXT" in codes(reading)
    assert reading.fields["payable_amount"] == "40.00"


def test_white_text_on_a_dark_band_is_visible():
    stream = (
        b"0 0 0 rg 40 690 520 30 re f BT 1 1 1 rg /F1 12 Tf 56 700 Td (INVOICE HF-4101) Tj ET "
        b"BT 0 0 0 rg /F1 10 Tf 56 660 Td (Total due: 840.00 USDC) Tj ET"
    )
    reading = parse(page(stream))
    assert "HIDDEN_TEXT" not in codes(reading)
    assert reading.fields["invoice_number"] == "HF-4101"


def test_text_inside_a_clip_that_holds_it_is_visible():
    stream = b"q 0 0 595 842 re W n BT /F1 10 Tf 56 660 Td (Total due: 840.00 USDC) Tj ET Q"
    reading = parse(page(stream))
    assert "HIDDEN_TEXT" not in codes(reading)
    assert reading.fields["payable_amount"] == "840.00"


def test_password_is_refused():
    reading = parse(pdf(password="secret"))
    assert reading.outcome is Outcome.REJECTED
    assert codes(reading) == {"PDF_ENCRYPTED"}


def test_encryption_without_password_is_reviewed():
    reading = parse(pdf(password="owner", permissions_only=True))
    assert reading.outcome is Outcome.REVIEW
    assert codes(reading) == {"PDF_ENCRYPTED"}
    assert reading.fields["payable_amount"] == "840.00"


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", pdf()[:400], b"%PDF-1.4\n%%EOF"])
def test_broken_pdf_is_rejected(content):
    reading = parse(content)
    assert reading.outcome is Outcome.REJECTED
    assert codes(reading) == {"PDF_BROKEN"}


def test_page_limit_is_inclusive():
    limits = Limits(pages=3)
    assert parse(pdf(pages=3), limits=limits).outcome is Outcome.ACCEPTED
    over = parse(pdf(pages=4), limits=limits)
    assert over.outcome is Outcome.REJECTED
    assert codes(over) == {"PDF_TOO_MANY_PAGES"}


def test_default_page_limit_is_two_hundred():
    assert codes(parse(pdf(("x",), pages=201))) == {"PDF_TOO_MANY_PAGES"}


def test_pdf_without_text_is_reviewed():
    reading = parse(pdf(()))
    assert reading.outcome is Outcome.REVIEW
    assert "PDF_NO_TEXT_LAYER" in codes(reading)


def test_form_fields_and_notes_are_reviewed():
    stream = b"BT /F1 10 Tf 56 660 Td (Total due: 840.00 USDC) Tj ET"
    note = (
        b"<< /Type /Annot /Subtype /FreeText /Rect [56 600 300 620] /Contents (9,000.00) "
        b"/DA (/F1 10 Tf) >>"
    )
    content = page(stream).replace(b"/Contents 4 0 R", b"/Contents 4 0 R /Annots [" + note + b"]")
    assert "PDF_ANNOTATIONS" in codes(parse(content))


@pytest.mark.parametrize(("across", "hidden"), [(0.01, True), (0.05, True), (0.5, False)])
def test_letters_squeezed_to_a_hairline_are_hidden_and_narrow_ones_are_not(across, hidden):
    printed = "".join(
        f"BT /F1 10 Tf 1 0 0 1 56 {780 - 16 * row} Tm ({line}) Tj ET "
        for row, line in enumerate(INVOICE_LINES)
    )
    squeezed = f"BT /F1 10 Tf {across} 0 0 1 56 400 Tm (The binding figure is 48,750.00) Tj ET"
    reading = parse(raw_pdf(zlib.compress((printed + squeezed).encode())))
    assert ("HIDDEN_TEXT" in codes(reading)) is hidden
    assert any("48,750" in line.text for line in reading.printed) is not hidden
