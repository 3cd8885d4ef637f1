"""What a bill counts for on its order: a net amount is the document's word, what is due is not."""

import pytest

from tests.support.documents import parse, text_invoice, ubl_invoice
from treasurer.documents.reading import Outcome
from treasurer.invoices.ordering import billed_net
from treasurer.invoices.terms import terms_of

PREPAID = '<cbc:PrepaidAmount currencyID="USD">{}</cbc:PrepaidAmount>'


@pytest.mark.parametrize(
    ("content", "net"),
    [
        (text_invoice(total="Net amount: 100.00\nTotal due: 10,000.00 EUR"), 10_000_00),
        (text_invoice(total="Net: 100.00\nVAT: 9,900.00\nTotal due: 10,000.00 EUR"), 9_970_00),
        (text_invoice(total="Net: 100.00\nVAT 20 %: 20.00\nTotal due: 120.00 EUR"), 100_00),
        (text_invoice(total="Total due: 120.00 EUR"), 120_00),
        (ubl_invoice(), 512_00),
        (ubl_invoice(payable="112.00", totals=PREPAID.format("400.00")), 512_00),
        (ubl_invoice(payable="912.00", totals=PREPAID.format("-400.00")), 912_00),
    ],
)
def test_a_bill_never_counts_for_less_than_it_asks_for(content, net):
    reading = parse(content)
    assert reading.outcome is Outcome.ACCEPTED
    terms, findings = terms_of(reading.fields)
    assert (billed_net(reading.fields, terms), findings) == (net, [])
