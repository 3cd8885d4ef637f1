"""Ordinary totals that no person should have to look at: terms of payment, days, a rounding."""

import pytest

from tests.support.documents import parse
from treasurer.documents.reading import Outcome

HEAD = "Halden Freight AS\nInvoice no.: HF-5001\nInvoice date: 20 November 2026\n\n"


@pytest.mark.parametrize(
    ("totals", "payable", "net"),
    [
        ("Terms     Net 30\nSubtotal $450.00\nSales Tax (8.25%) $37.13\nTotal $487.13 USD", "487.13",
         "450.00"),
        ("Net 14 days\nTotal due: EUR 200.00 within 30 days", "200.00", None),
        ("Gesamtbetrag: 200,00 EUR zahlbar in 14 Tagen", "200.00", None),
        (
            "Taxable value 1,23,456.00\nIGST 18% 22,222.08\nRound off -0.08\nGrand Total INR 1,45,678.00",
            "145678.00",
            "123456.00",
        ),
    ],
)  # fmt: skip
def test_the_amount_due_is_read(totals, payable, net):
    reading = parse(HEAD + totals)
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields["payable_amount"] == payable
    assert reading.fields.get("tax_exclusive_amount") == net


def test_a_rounding_below_the_total_still_counts():
    total = "Total EUR 100.02\nRounding -0.02\nAmount due EUR {}"
    assert parse(HEAD + total.format("100.00")).outcome is Outcome.ACCEPTED
    assert parse(HEAD + total.format("100.10")).outcome is Outcome.REVIEW


def test_several_sums_behind_a_label_are_still_no_amount():
    for rest in ("EUR 100.00 or 90.00", "EUR 100.00 - 200.00", "12 x EUR 100.00"):
        assert parse(f"{HEAD}Total due: {rest}").fields["payable_amount"] is None
