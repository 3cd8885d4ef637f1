import re

import pytest

from tests.support.cii import CII, candidate_2014, cii, zugferd1
from tests.support.documents import HALDEN, codes, parse
from treasurer.documents.reading import Outcome, Source

SUMMATION = (
    "/rsm:CrossIndustryInvoice/rsm:SupplyChainTradeTransaction/ram:ApplicableHeaderTradeSettlement"
    "/ram:SpecifiedTradeSettlementHeaderMonetarySummation"
)
TAX_TOTAL = '<ram:TaxTotalAmount currencyID="USD">155.00</ram:TaxTotalAmount>'
DUE = "<ram:DuePayableAmount>700.00</ram:DuePayableAmount>"


def without(pattern: str) -> str:
    text, count = re.subn(pattern, "", CII, flags=re.DOTALL)
    assert count == 1, pattern
    return text


def test_every_field_of_the_sample_is_read_with_its_xpath():
    reading = parse(CII)
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.findings == ()
    assert reading.format == "cii"
    expected = {
        "syntax": "CII D16B (CrossIndustryInvoice)",
        "profile": "urn:cen.eu:en16931:2017",
        "seller": "Halden Freight AS",
        "buyer": "Norwick Instruments Ltd",
        "invoice_number": "HF-1007",
        "type_code": "380",
        "document_kind": "invoice",
        "issue_date": "2026-11-12",
        "due_date": "2026-12-12",
        "currency": "USD",
        "purchase_order": "PO-7781",
        "line_total": "620.00",
        "tax_exclusive_amount": "620.00",
        "tax_amount": "155.00",
        "tax_inclusive_amount": "775.00",
        "prepaid_amount": "75.00",
        "payable_amount": "700.00",
        "iban": None,
        "pay_to_address": HALDEN,
        "payee_accounts": [HALDEN],
    }
    assert {name: reading.fields[name] for name in expected} == expected
    shown = {item.field: item for item in reading.evidence}
    assert shown["payable_amount"].source is Source.XPATH
    assert shown["payable_amount"].location == f"{SUMMATION}/ram:DuePayableAmount[1]"
    assert shown["payable_amount"].text == "700.00"
    assert shown["issue_date"].text == "20261112"


@pytest.mark.parametrize(
    ("older", "syntax"),
    [
        (zugferd1(CII), "CII ZUGFeRD 1.0 (CrossIndustryDocument)"),
        (candidate_2014(CII),
         "CII ZUGFeRD release candidate 2014 (rsm:Invoice, namespace CBFBUY:5)"),
    ],
)  # fmt: skip
def test_older_dialects_read_the_same(older, syntax):
    reading, standard = parse(older), parse(CII)
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields == {**standard.fields, "syntax": syntax}


@pytest.mark.parametrize("prefix", ["a", "ns0"])
def test_prefixes_are_the_writers_choice(prefix):
    renamed = re.sub(r"(</?|xmlns:)ram\b", rf"\1{prefix}", CII)
    assert parse(renamed).fields == parse(CII).fields


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_no_content(encoding):
    text = CII.replace('encoding="UTF-8"', f'encoding="{encoding[:6].strip("-")}"')
    assert parse(text.encode(encoding)).fields == parse(CII).fields


def test_minimum_profile_has_no_lines_and_no_due_date():
    text = without(
        r"<ram:IncludedSupplyChainTradeLineItem>.*</ram:IncludedSupplyChainTradeLineItem>"
    )
    text = re.sub(r"<ram:SpecifiedTradePaymentTerms>.*?</ram:SpecifiedTradePaymentTerms>", "", text,
                  flags=re.DOTALL)  # fmt: skip
    text = text.replace("urn:cen.eu:en16931:2017", "urn:factur-x.eu:1p0:minimum")
    reading = parse(text)
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields["lines"] == []
    assert reading.fields["due_date"] is None


def test_missing_payable_amount_stays_null_and_asks_a_person():
    reading = parse(cii((DUE, "")))
    assert reading.fields["payable_amount"] is None
    assert reading.outcome is Outcome.REVIEW
    assert codes(reading) == {"MISSING_FIELD"}


@pytest.mark.parametrize(
    "twice",
    [
        DUE,
        "<ram:GrandTotalAmount>775.00</ram:GrandTotalAmount>",
        TAX_TOTAL,
        "<ram:Name>Halden Freight AS</ram:Name>",
        "<ram:ID>HF-1007</ram:ID>",
        "<ram:InvoiceCurrencyCode>USD</ram:InvoiceCurrencyCode>",
    ],
)
def test_two_of_one_reject_even_when_equal(twice):
    reading = parse(cii((twice, twice + twice)))
    assert reading.outcome is Outcome.REJECTED
    assert "DUPLICATE_ELEMENT" in codes(reading)


def test_vat_in_the_accounting_currency_is_kept_apart():
    reading = parse(
        cii(
            ("<ram:InvoiceCurrencyCode>", "<ram:TaxCurrencyCode>NOK</ram:TaxCurrencyCode>"
             "<ram:InvoiceCurrencyCode>"),
            (TAX_TOTAL, TAX_TOTAL + TAX_TOTAL.replace("USD", "NOK").replace("155", "1643")),
        )
    )  # fmt: skip
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields["tax_amount"] == "155.00"
    assert reading.fields["tax_amount_in_tax_currency"] == "1643.00"
    assert reading.fields["currency"] == "USD"


def test_total_in_another_currency_beside_the_own_one_is_left_alone():
    grand = "<ram:GrandTotalAmount>775.00</ram:GrandTotalAmount>"
    other = '<ram:GrandTotalAmount currencyID="NOK">8215.00</ram:GrandTotalAmount>'
    assert parse(cii((grand, other + grand))).fields["tax_inclusive_amount"] == "775.00"


def test_amount_due_in_another_currency_is_reviewed():
    reading = parse(cii((DUE, DUE.replace("Amount>7", 'Amount currencyID="EUR">7'))))
    assert reading.outcome is Outcome.REVIEW
    assert codes(reading) == {"CURRENCY_MISMATCH"}


@pytest.mark.parametrize(
    ("date", "format_", "read"),
    [
        ("20261112", "102", "2026-11-12"),
        ("202611121030", "203", "2026-11-12"),
        ("20260230", "102", None),
        ("202611", "610", None),
        ("12112026", "102", None),
        ("٢٠٢٦١١١٢", "102", None),
    ],
)
def test_dates_are_read_by_their_own_format_or_not_at_all(date, format_, read):
    reading = parse(cii(('format="102">20261112', f'format="{format_}">{date}')))
    assert reading.fields.get("issue_date") == read
    assert ("INVALID_DATE" in codes(reading)) is (read is None)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("380", "invoice"), ("384", "invoice"), ("389", "invoice"), ("326", "invoice"),
     ("381", "credit_note"), ("396", "credit_note"), ("261", "credit_note")],
)  # fmt: skip
def test_one_root_carries_invoices_and_credit_notes(code, kind):
    reading = parse(cii(("TypeCode>380<", f"TypeCode>{code}<")))
    assert reading.fields["document_kind"] == kind
    assert reading.has("CREDIT_NOTE") is (kind == "credit_note")


def test_iban_of_the_first_means_that_has_a_valid_one():
    account = f"<ram:ProprietaryID>{HALDEN}</ram:ProprietaryID>"
    means = (
        "</ram:SpecifiedTradeSettlementPaymentMeans><ram:SpecifiedTradeSettlementPaymentMeans>"
        "<ram:TypeCode>58</ram:TypeCode><ram:PayeePartyCreditorFinancialAccount>"
        "<ram:IBANID>{}</ram:IBANID></ram:PayeePartyCreditorFinancialAccount>"
    )
    end = "</ram:SpecifiedTradeSettlementPaymentMeans>"
    reading = parse(
        cii(
            (account, "<ram:IBANID>NO93 8601 1117 948</ram:IBANID>"),
            (end, means.format("NO93 8601 1117 947") + end),
        )
    )
    assert reading.fields["payee_accounts"] == ["NO93 8601 1117 948", "NO93 8601 1117 947"]
    assert reading.fields["iban"] == "NO9386011117947"
    (iban,) = [item for item in reading.evidence if item.field == "iban"]
    assert "SpecifiedTradeSettlementPaymentMeans[2]" in iban.location


def test_payee_is_named_beside_the_seller():
    payee = "<ram:PayeeTradeParty><ram:Name>Factor Nord AS</ram:Name></ram:PayeeTradeParty>"
    means = "<ram:SpecifiedTradeSettlementPaymentMeans>"
    reading = parse(cii((means, payee + means)))
    assert reading.fields["seller"] == "Halden Freight AS"
    assert reading.fields["payee"] == "Factor Nord AS"


@pytest.mark.parametrize(
    ("name", "content"), [("terms.pdf.com", "AA=="), ("terms.pdf", "TVqQAAMAAAAEAAAA")]
)
def test_program_as_attachment_rejects(name, content):
    file = (
        "<ram:AdditionalReferencedDocument><ram:IssuerAssignedID>1</ram:IssuerAssignedID>"
        f'<ram:AttachmentBinaryObject mimeCode="application/pdf" filename="{name}">{content}'
        "</ram:AttachmentBinaryObject></ram:AdditionalReferencedDocument>"
    )
    end = "</ram:ApplicableHeaderTradeAgreement>"
    reading = parse(cii((end, file + end)))
    assert reading.outcome is Outcome.REJECTED
    assert "EXECUTABLE_ATTACHMENT" in codes(reading)


def test_test_indicator_is_noted():
    flag = "<ram:TestIndicator><udt:Indicator>true</udt:Indicator></ram:TestIndicator>"
    start = "<rsm:ExchangedDocumentContext>"
    assert codes(parse(cii((start, start + flag)))) == {"TEST_DOCUMENT"}
    off = flag.replace("true", "false")
    assert codes(parse(cii((start, start + off)))) == set()


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b"])
def test_deceptive_characters_are_reviewed(hidden):
    reading = parse(cii(("Halden Freight AS", f"Halden{hidden} Freight AS")))
    assert codes(reading) & {"BIDI_CONTROL", "INVISIBLE_UNICODE"}
    assert reading.outcome is Outcome.REVIEW
