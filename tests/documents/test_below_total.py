"""What is printed around an amount may make another one of it: sums below, a scale, an older debt."""

import pytest

from tests.support.documents import codes, parse
from treasurer.documents.reading import Outcome

HEAD = "Halden Freight AS\nInvoice no.: HF-5001\nInvoice date: 20 November 2026\n\n"


@pytest.mark.parametrize(
    "totals",
    [
        "Total EUR 1,000.00\nLess retainer EUR 400.00\nNet remainder EUR 600.00",
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


@pytest.mark.parametrize(
    "total",
    [
        "Total due: EUR 1.5 million",
        "Total: EUR 100.00 per month",
        "Total: EUR 100.00 / Monat",
        "Total due: EUR 100.00 x 12",
        "Total due: 1000.50 USDC.e",
        "Total due: 100.00 EUR credit",
        "Total due: EUR 100.00 in your favour",
        "Gesamtbetrag: 100,00 EUR zu Ihren Gunsten",
        "Total due: EUR 100.00 plus VAT",
        "Gesamtbetrag: 100,00 EUR zzgl. 19 % MwSt.",
        "Total: 100,00 € HT",
    ],
)
def test_an_amount_that_its_tail_makes_another_one_is_not_taken(total):
    reading = parse(HEAD + total)
    assert (reading.outcome, reading.fields["payable_amount"]) == (Outcome.REVIEW, None)
    assert "AMOUNT_UNREADABLE" in codes(reading)


@pytest.mark.parametrize(
    ("total", "amount"),
    [
        ("Total: EUR 100.00 (excl. VAT)\nTotal: EUR 120.00 (incl. VAT)", "120.00"),
        ("Amount due: 840.00 USDC, excluding bank charges", "840.00"),
        ("Zahlbetrag: 100,00 EUR ohne Abzug", "100.00"),
        ("Total due: 840.00 USDC on Base", "840.00"),
    ],
)
def test_a_tail_that_changes_nothing_is_no_doubt(total, amount):
    reading = parse(HEAD + total)
    assert (reading.outcome, reading.fields["payable_amount"]) == (Outcome.ACCEPTED, amount)


@pytest.mark.parametrize(
    ("balance", "outcome"),
    [
        ("Previous balance: EUR 300.00", Outcome.REVIEW),
        ("Past due     EUR 300.00", Outcome.REVIEW),
        ("Saldovortrag: 300,00 EUR", Outcome.REVIEW),
        ("Solde antérieur : 300,00 €", Outcome.REVIEW),
        ("Previous balance: EUR 0.00", Outcome.ACCEPTED),
        ("Previous balance: EUR 300.00\nYour payment of 3 November: EUR -300.00", Outcome.ACCEPTED),
        ("Carried forward: EUR 300.00", Outcome.ACCEPTED),
    ],
)
def test_an_earlier_balance_is_not_paid_again_with_the_invoice(balance, outcome):
    reading = parse(f"{HEAD}{balance}\nCurrent charges: EUR 200.00\nTotal due: EUR 500.00")
    assert reading.outcome is outcome
    assert ("AMOUNT_DUE_UNCLEAR" in codes(reading)) is (outcome is Outcome.REVIEW)


@pytest.mark.parametrize(
    "due", ["Due now: EUR 300.00", "Net amount due: EUR 300.00", "Remaining balance   EUR 300.00"]
)
def test_a_lesser_amount_due_now_is_asked_about(due):
    reading = parse(f"{HEAD}Total: EUR 1,000.00\n\n\n\n{due}")
    assert (reading.outcome, reading.fields["payable_amount"]) == (Outcome.REVIEW, "300.00")
    assert "BR-CO-16" in codes(reading)
