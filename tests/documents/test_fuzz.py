"""Small fuzzing: whatever the bytes, a reader answers or refuses, and nothing is invented."""

import json
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.documents.test_mail import mail
from tests.support.documents import INVOICE_LINES, parse, pdf, text_invoice, ubl_invoice
from tests.support.fuzz import fuzz
from treasurer.documents.reading import Outcome, Reading, reading_from_json

UBL, PDF = ubl_invoice(), pdf()
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def sound(reading: Reading) -> None:
    """What holds for every reading, however odd the document."""
    assert reading_from_json(reading.to_json()) == reading
    shown = {item.field for item in reading.evidence}
    for name in ("seller", "invoice_number", "currency", "payable_amount", "issue_date"):
        if reading.fields.get(name) is not None:
            assert name in shown
    if reading.outcome is Outcome.ACCEPTED:
        assert reading.fields["seller"]
        Decimal(str(reading.fields["payable_amount"]))


@quick
@given(st.binary(max_size=400))
def test_any_bytes(content):
    sound(parse(content))


@quick
@given(st.lists(st.tuples(st.integers(0, len(UBL) - 1), st.integers(0, 255)), max_size=8))
def test_damaged_ubl(changes):
    content = bytearray(UBL)
    for position, value in changes:
        content[position] = value
    sound(parse(bytes(content)))


@settings(quick, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(PDF) - 1), st.integers(0, 255)), max_size=8))
def test_damaged_pdf(changes):
    content = bytearray(PDF)
    for position, value in changes:
        content[position] = value
    sound(parse(bytes(content)))


@quick
@given(st.lists(st.one_of(st.sampled_from(INVOICE_LINES), st.text(max_size=60)), max_size=12))
def test_shuffled_text(lines):
    sound(parse("\n".join(lines)))


@quick
@given(st.text(max_size=30))
def test_whatever_stands_as_the_amount_is_read_exactly_or_not_at_all(printed):
    reading = parse(text_invoice(total=f"Total due: {printed}"))
    sound(reading)
    value = reading.fields.get("payable_amount")
    if value is not None:
        digits = [c for c in str(value) if c.isdigit()]
        assert digits == [c for c in printed if c.isascii() and c.isdigit()][: len(digits)]


@quick
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["seller", "payable_amount", "lines", "issue_date", "iban", "x"]), inner,
        max_size=4),
    max_leaves=12,
))  # fmt: skip
def test_any_json(body):
    sound(parse(json.dumps(body)))


@settings(quick, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=8))
def test_damaged_mail(changes):
    message = mail()
    message.add_attachment(UBL, maintype="application", subtype="xml", filename="a.xml")
    content = bytearray(bytes(message))
    for position, value in changes:
        content[position] = value
    reading = parse(bytes(content))
    if not reading.parts:
        sound(reading)


CELLS = st.sampled_from(
    ["Total", "Netto", "MwSt 19 %", "100,00", "19,00", "119,00 EUR", "Rechnung Nr.", "R-1", "vom",
     "01.02.2026", "Muster GmbH", "Verkäufer", "Name:", "DE123456789", "0", "1.000", "-5,00"]
)  # fmt: skip


@quick
@given(st.lists(st.lists(CELLS, max_size=4), max_size=20))
def test_cells_in_any_order(rows):
    sound(parse("\n".join("   ".join(row) for row in rows)))


@quick
@given(st.lists(st.tuples(*[st.integers(0, 999_999)] * 8, CELLS), min_size=1, max_size=20))
def test_boxes_anywhere(rows):
    reading = parse("\n".join(",".join(map(str, row)) for row in rows))
    sound(reading)
    assert reading.outcome is not Outcome.ACCEPTED


def test_mutated_documents_of_every_format_are_answered_in_time():
    counts = fuzz(3, seed=20261127)
    assert counts["documents"] > 20
    assert counts["READER_FAILED"] == counts["READING_TIMED_OUT"] == 0
