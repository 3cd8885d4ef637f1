"""Small fuzzing: whatever the bytes, a reader answers or refuses, and nothing is invented."""

from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.documents import INVOICE_LINES, parse, pdf, text_invoice, ubl_invoice
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
    import json

    sound(parse(json.dumps(body)))
