"""A total below which the document reckons on is not what is due, whatever the deduction is called."""

import pytest

from tests.support.documents import codes, parse
from treasurer.documents.reading import Outcome

HEAD = "Halden Freight AS\nInvoice no.: HF-5001\nInvoice date: 20 November 2026\n\n"


@pytest.mark.parametrize(
    "totals",
    [
        "Total EUR 1,000.00\nLess retainer EUR 400.00\nNet amount due EUR 600.00",
        "Invoice total: EUR 1,000.00\nRetention 5 %: EUR 50.00\nTo be remitted: EUR 950.00",
        "Base imponible: 1.000,00 EUR\nIVA 21%: 210,00 EUR\nTotal factura: 1.210,00 EUR\n"
        "Retención IRPF 15%: -150,00 EUR\nLíquido: 1.060,00 EUR",
        "Gesamtbetrag: 1.190,00 EUR\nabzgl. Gutschein: -90,00 EUR\nVerbleibend: 1.100,00 EUR",
        "Gesamtbetrag: 1.190,00 EUR\n1. Rate: -300,00 EUR\n2. Rate: -290,00 EUR\nSchluss: 600,00 EUR",
        "Total TTC 1 200,00 €\nAvance 200,00 €\nReste 1 000,00 €",
        "Total: EUR 100.00\nEco levy: EUR 20.00\nAltogether: EUR 120.00",
    ],
)
def test_a_total_below_which_sums_go_on_is_not_taken_as_due(totals):
    reading = parse(HEAD + totals)
    assert (reading.outcome, reading.fields["payable_amount"]) == (Outcome.REVIEW, None)
    assert "AMOUNT_DUE_UNCLEAR" in codes(reading)


@pytest.mark.parametrize(
    "totals",
    [
        "Total EUR 1,200.00\nTVA 20 %: EUR 200.00\nBase: EUR 1,000.00",
        "Total EUR 1,200.00\nof which tax at 20 %: EUR 200.00\nwithout it: EUR 1,000.00",
        "Total EUR 1,200.00\nwithin 10 days 2 % off: EUR 1,176.00",
        "Total EUR 1,200.00\nCash 1,250.00\nChange 50.00",
        "Amount EUR 1,200.00\nItem one\nDelivered\nin May\nEUR 700.00\nEUR 500.00",
    ],
)
def test_what_explains_a_total_leaves_it_due(totals):
    reading = parse(HEAD + totals)
    assert (reading.outcome, reading.fields["payable_amount"]) == (Outcome.ACCEPTED, "1200.00")
