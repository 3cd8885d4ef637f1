import pytest

from tests.support.documents import codes, parse, text_invoice, ubl_invoice
from treasurer.documents.reading import Outcome


def money(element: str, amount: str) -> str:
    return f'<cbc:{element} currencyID="USD">{amount}</cbc:{element}>'


def replaced(old: str, new: str) -> bytes:
    content = ubl_invoice().decode()
    assert content.count(old) >= 1
    return content.replace(old, new, 1).encode()


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (replaced(money("LineExtensionAmount", "512.00"), money("LineExtensionAmount", "511.00")),
         "BR-CO-10"),
        (replaced(money("TaxExclusiveAmount", "512.00"), money("TaxExclusiveAmount", "500.00")),
         "BR-CO-13"),
        (replaced(money("TaxInclusiveAmount", "512.00"), money("TaxInclusiveAmount", "512.01")),
         "BR-CO-15"),
        (ubl_invoice(payable="511.99"), "BR-CO-16"),
        (ubl_invoice(totals=money("PrepaidAmount", "12.00")), "BR-CO-16"),
        (replaced("</cbc:TaxAmount></cac:TaxTotal>",
                  "</cbc:TaxAmount><cac:TaxSubtotal>" + money("TaxAmount", "5.00")
                  + "</cac:TaxSubtotal></cac:TaxTotal>"), "BR-CO-14"),
    ],
)  # fmt: skip
def test_each_sum_of_en_16931_is_reviewed_when_wrong(content, rule):
    reading = parse(content)
    assert reading.outcome is Outcome.REVIEW
    assert rule in codes(reading)


@pytest.mark.parametrize(
    "content",
    [
        ubl_invoice(payable="500.00", totals=money("PrepaidAmount", "12.00")),
        ubl_invoice(payable="512.05", totals=money("PayableRoundingAmount", "0.05")),
        ubl_invoice(total="512.004", payable="512.00"),
    ],
)
def test_prepaid_rounding_and_half_cents_are_coherent(content):
    assert parse(content).outcome is Outcome.ACCEPTED


def test_negative_invoice_is_a_credit_that_reads_well():
    reading = parse(ubl_invoice(payable="-512.00", total="-512.00"))
    assert reading.outcome is Outcome.ACCEPTED
    assert codes(reading) == {"NEGATIVE_TOTAL"}
    assert reading.fields["document_kind"] == "invoice"


def test_negative_total_without_a_document_type_is_rejected():
    content = ubl_invoice(payable="-512.00", total="-512.00")
    reading = parse(content.replace(b"<cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>", b""))
    assert reading.outcome is Outcome.REJECTED


def test_negative_total_in_prose_is_rejected_and_keeps_its_sign():
    for printed in ("-250.00 USDC", "−250.00 USDC", "(250.00) USDC", "250.00- USDC"):
        reading = parse(text_invoice(total=f"Total due: {printed}"))
        assert reading.outcome is Outcome.REJECTED, printed
        assert "NEGATIVE_TOTAL" in codes(reading)
        assert reading.fields["payable_amount"] == "-250.00"


def test_overpaid_and_zero_are_sound_readings_with_nothing_to_pay():
    overpaid = parse(ubl_invoice(payable="-88.00", totals=money("PrepaidAmount", "600.00")))
    settled = parse(ubl_invoice(payable="0.00", totals=money("PrepaidAmount", "512.00")))
    for reading in (overpaid, settled):
        assert reading.outcome is Outcome.ACCEPTED
        assert codes(reading) == {"NOTHING_TO_PAY"}


def test_credit_type_in_an_invoice_is_held():
    content = ubl_invoice().replace(b"TypeCode>380<", b"TypeCode>381<")
    assert codes(parse(content)) == {"CREDIT_NOTE"}


def test_self_billed_invoice_is_no_credit_note():
    content = ubl_invoice().replace(b"TypeCode>380<", b"TypeCode>389<")
    assert parse(content).outcome is Outcome.ACCEPTED


def test_due_before_issue_is_noted():
    reading = parse(ubl_invoice(due_date="2026-11-19"))
    assert codes(reading) == {"DUE_BEFORE_ISSUE"}
    assert reading.outcome is Outcome.ACCEPTED
    assert parse(ubl_invoice(due_date="2026-11-20")).findings == ()


@pytest.mark.parametrize(("currency", "accepted"), [("USD", False), ("USDC", True), ("BHD", True)])
def test_precision_is_the_currencys_own(currency, accepted):
    reading = parse(ubl_invoice(currency=currency, total="512.125", payable="512.125"))
    assert (reading.outcome is Outcome.ACCEPTED) is accepted
    assert ("AMOUNT_TOO_PRECISE" in codes(reading)) is not accepted


def test_missing_issue_date_holds_an_e_invoice_but_not_prose():
    e_invoice = parse(ubl_invoice().replace(b"<cbc:IssueDate>2026-11-20</cbc:IssueDate>", b""))
    assert e_invoice.outcome is Outcome.REVIEW
    prose = parse(text_invoice(date=""))
    assert prose.outcome is Outcome.ACCEPTED
    assert codes(prose) == {"MISSING_FIELD"}


@pytest.mark.parametrize("seller", ["=2+5", "@SUM(A1)", "+cmd"])
def test_formula_as_seller_is_reviewed(seller):
    reading = parse(text_invoice(seller=f"From: {seller}"))
    assert "FORMULA_TEXT" in codes(reading)
    assert reading.outcome is Outcome.REVIEW
