"""Prose that asks for no transfer to its seller says so in words, where an e-invoice has a code."""

import pytest

from tests.support.documents import codes, parse, pdf
from treasurer.invoices.assessment import HOLDING_NOTES

BODY = (
    "Halden Freight AS\nInvoice no.: HF-5001\nInvoice date: 20 November 2026\n"
    "Bill to: Norwick Instruments Ltd\n\nTotal due: EUR 1,200.00\n\n"
)


@pytest.mark.parametrize(
    ("title", "code"),
    [
        ("PRO FORMA INVOICE", "PRO_FORMA"),
        ("Proformarechnung Nr. 17", "PRO_FORMA"),
        ("Facture pro forma", "PRO_FORMA"),
        ("Corrected invoice", "CORRECTED_INVOICE"),
        ("Rechnungskorrektur", "CORRECTED_INVOICE"),
        ("STORNORECHNUNG", "CORRECTED_INVOICE"),
        ("Tax Credit Note", "CREDIT_NOTE"),
        ("Nota de abono", "CREDIT_NOTE"),
        ("Facture d'avoir", "CREDIT_NOTE"),
        ("DRAFT", "NOT_AN_INVOICE"),
        ("This is not a tax invoice", "NOT_AN_INVOICE"),
        ("Buchungshilfe - KEINE Rechnung", "NOT_AN_INVOICE"),
    ],
)
def test_titles_of_what_is_not_to_be_paid(title, code):
    assert code in codes(parse(f"{title}\n{BODY}"))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("The amount will be collected by SEPA direct debit on 1 December 2026.", "COLLECTED_BY_SELLER"),
        ("Your card ending 4242 will be charged automatically.", "COLLECTED_BY_SELLER"),
        ("Der Betrag von 1.200,00 EUR wird am 1.12.2026 von Ihrem Konto abgebucht.", "COLLECTED_BY_SELLER"),
        ("Le montant sera prélevé le 1 décembre 2026.", "COLLECTED_BY_SELLER"),
        ("Het bedrag wordt van uw rekening afgeschreven.", "COLLECTED_BY_SELLER"),
        ("This invoice has been assigned to Nordic Factoring AB.", "CLAIM_ASSIGNED"),
        ("Unsere Forderung ist an die Nord Factoring GmbH abgetreten.", "CLAIM_ASSIGNED"),
        ("\nPAID\n", "ALREADY_PAID"),
    ],
)  # fmt: skip
def test_sentences_by_which_a_transfer_would_be_wrong(words, code):
    assert code in codes(parse(BODY + words))


@pytest.mark.parametrize(
    "words",
    [
        "You may pay by card, by direct debit or by bank transfer.",
        "Late payments will be charged interest of 2 % a month.",
        "Quotation: Q-17\nPurchase order\nDelivery note",
        "Your account manager has been assigned to you.",
        "Forderungen aus dem Weiterverkauf werden bereits jetzt an uns abgetreten.",
        "Paid: EUR 0.00",
        "Falls Sie keine Rechnung per Post wünschen, schreiben Sie uns.",
        "Sofern uns ein Mandat vorliegt, wird der Betrag von Ihrem Konto abgebucht.",
        "If you gave us a mandate, the amount will be collected by direct debit.",
        "TOTAL\nPAID\nBALANCE",
        "Please do not send cash.",
    ],
)
def test_an_ordinary_invoice_is_not_held_for_its_words(words):
    held = HOLDING_NOTES | {"CREDIT_NOTE"}
    assert not codes(parse(BODY + words)) & held


def test_a_quotation_is_told_by_its_title_where_nothing_is_called_an_invoice():
    words = "QUOTATION\nHalden Freight AS\nDocument no.: Q-17\nDate: 20 November 2026\nTotal due: EUR 9.00"
    assert "NOT_AN_INVOICE" in codes(parse(words))
    assert "NOT_AN_INVOICE" not in codes(parse(words.replace("Document no.", "Invoice no.")))


def test_a_title_on_the_page_of_a_pdf():
    assert "PRO_FORMA" in codes(parse(pdf(["PRO-FORMA INVOICE", *BODY.splitlines()])))
