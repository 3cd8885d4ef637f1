"""A wallet that free text names is compared as one on a page is, however it is disguised."""

import json

import pytest

from tests.support.cii import cii
from tests.support.documents import HALDEN, codes, parse, text_invoice, ubl_invoice
from treasurer.documents.reading import Outcome

OTHER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
JSON = {
    "seller": "Halden Freight AS", "invoice_number": "HF-1", "issue_date": "2026-11-20",
    "currency": "USD", "payable_amount": "5.00",
}  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        ubl_invoice(extra=f"<cbc:Note>Pay to {OTHER} from now on</cbc:Note>"),
        ubl_invoice(extra=f"<cac:PaymentTerms><cbc:Note>{OTHER}</cbc:Note></cac:PaymentTerms>"),
        ubl_invoice(extra=f"<cbc:Note>Pay to</cbc:Note>{OTHER}"),
        json.dumps({**JSON, "payment_terms": f"to {OTHER}"}),
    ],
)
def test_a_wallet_in_a_note_reaches_those_who_compare_it(content):
    reading = parse(content)
    assert reading.fields["pay_to_address"] == OTHER
    assert "pay_to_address" in {item.field for item in reading.evidence}


def test_a_second_wallet_in_a_note_is_asked_about():
    account = (
        "<cac:PaymentMeans><cbc:PaymentMeansCode>1</cbc:PaymentMeansCode><cac:PayeeFinancialAccount>"
        f"<cbc:ID>{HALDEN}</cbc:ID></cac:PayeeFinancialAccount></cac:PaymentMeans>"
    )
    assert codes(parse(ubl_invoice(extra=account))) == set()
    same = parse(ubl_invoice(extra=f"<cbc:Note>{HALDEN.lower()}</cbc:Note>{account}"))
    assert (same.outcome, same.fields["pay_to_address"]) == (Outcome.ACCEPTED, HALDEN)
    two = parse(ubl_invoice(extra=f"<cbc:Note>{OTHER}</cbc:Note>{account}"))
    assert (two.outcome, "MULTIPLE_ADDRESSES" in codes(two)) == (Outcome.REVIEW, True)
    note = f"<ram:IncludedNote><ram:Content>{OTHER}</ram:Content></ram:IncludedNote>"
    end = "</rsm:ExchangedDocument>"
    assert codes(parse(cii((end, note.replace(OTHER, HALDEN) + end)))) == codes(parse(cii()))
    assert "MULTIPLE_ADDRESSES" in codes(parse(cii((end, note + end))))


@pytest.mark.parametrize(
    "disguised",
    [
        OTHER.replace("0x", "\uff10x"),  # a full-width zero
        OTHER.replace("0x", "0\u0445"),  # a Cyrillic letter
        OTHER.replace("0x", "Ox"),
        OTHER.removeprefix("0x"),
        f"wallet{OTHER}",
        OTHER.replace("a", "\u0430", 1),
    ],
)
def test_what_passes_for_a_wallet_is_reviewed(disguised):
    assert "ADDRESS_SYNTAX" in codes(parse(text_invoice(pay_to=f"Pay to: {disguised}")))
    assert "ADDRESS_SYNTAX" in codes(parse(ubl_invoice(extra=f"<cbc:Note>{disguised}</cbc:Note>")))


@pytest.mark.parametrize(
    "plain", ["1" * 40, "ab" * 32, f"0x{'ab' * 32}", "30x100 mm", "IT60X0542811101000000123456"]
)
def test_other_long_numbers_are_no_wallet(plain):
    assert parse(text_invoice() + f"\nReference {plain}").outcome is Outcome.ACCEPTED
