"""What proves a tax of nothing, and which of equal places is evidence."""

import pytest

from tests.support.documents import parse

NOTHING_PRINTED = "Halden Freight AS\nInvoice no. HF-1\n\nFreight\n\nInsurance\n\n0.00\n\n{rest}"


@pytest.mark.parametrize(
    ("rest", "tax"),
    [
        ("500.00 EUR\n\n500.00 EUR", None),
        ("0 %\n\n500.00 EUR\n\n500.00 EUR", "0.00"),
        ("10 %\n\n500.00 EUR\n\n500.00 EUR", None),
        ("VAT: 0.00\n\n500.00 EUR\n\n500.00 EUR", "0.00"),
    ],
)
def test_a_printed_nothing_is_no_proof_that_nothing_is_taxed(rest, tax):
    reading = parse(NOTHING_PRINTED.format(rest=rest))
    assert reading.fields.get("tax_amount") == tax
    assert reading.fields["payable_amount"] == (None if tax is None else "500.00")


def test_of_two_heads_of_columns_the_left_one_shows_the_currency():
    """Evidence is part of a reading, which is the same each time: no set may choose it."""
    lines = "Halden Freight AS\nInvoice no. HF-1\nAMOUNT(RM)   NET(RM)   TAX(RM)\nTotal due: 84.00"
    shown = {item.field: item.text for item in parse(lines).evidence}
    assert shown["currency"] == "AMOUNT(RM)"
