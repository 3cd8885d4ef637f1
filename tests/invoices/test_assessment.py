from uuid import UUID

import pytest

from tests.support.cii import cii
from tests.support.documents import hybrid_pdf, parse, text_invoice, ubl_invoice
from treasurer.documents.reading import Outcome, Severity
from treasurer.invoices.assessment import assess, kind_of
from treasurer.invoices.duplicates import Comparable
from treasurer.invoices.matching import Match
from treasurer.invoices.model import InvoiceKind, InvoiceState
from treasurer.invoices.terms import terms_of
from treasurer.kernel.ids import InvoiceId

TEST = "<ram:TestIndicator><udt:Indicator>true</udt:Indicator></ram:TestIndicator>"
START = "<rsm:ExchangedDocumentContext>"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (cii((START, START + TEST)), "TEST_DOCUMENT"),
        (ubl_invoice(payable="-512.00", total="-512.00"), "NEGATIVE_TOTAL"),
        (ubl_invoice(due_date="2026-11-19"), "DUE_BEFORE_ISSUE"),
        (
            hybrid_pdf(("From: Halden Freight AS", "Total due: 512.00 USD"), ubl_invoice()),
            "NUMBER_NOT_ON_PAGE",
        ),
        (text_invoice() + "\n\nThis is not an invoice.", "NOT_AN_INVOICE"),
        (text_invoice() + "\n\nThis invoice was assigned to Nord Factoring.", "CLAIM_ASSIGNED"),
    ],
)
def test_sound_readings_that_must_not_be_paid_are_held_for_a_person(content, code):
    reading = parse(content)
    assert reading.outcome is Outcome.ACCEPTED
    terms, findings = terms_of(reading.fields)
    assessment = assess(reading, terms, findings, Match(None, ()), _comparable(reading), ())
    assert assessment.state is InvoiceState.NEEDS_REVIEW
    assert (code, Severity.REVIEW) in {(f.code, f.severity) for f in assessment.findings}
    assert Severity.NOTE not in {f.severity for f in assessment.findings}


@pytest.mark.parametrize(
    "content",
    [
        cii(("TypeCode>380<", "TypeCode>381<")),
        ubl_invoice().replace(b"TypeCode>380<", b"TypeCode>381<"),
    ],
)
def test_that_it_is_a_credit_note_holds_nothing_up(content):
    """It is dealt with as one: what holds this one is that nobody knows its seller."""
    reading = parse(content)
    terms, findings = terms_of(reading.fields)
    assessment = assess(reading, terms, findings, Match(None, ()), _comparable(reading), ())
    assert _comparable(reading).kind is InvoiceKind.CREDIT_NOTE
    assert {f.severity for f in assessment.findings if f.code == "CREDIT_NOTE"} == {Severity.NOTE}
    assert assessment.state is InvoiceState.NEEDS_REVIEW


def _comparable(reading):
    return Comparable(
        id=InvoiceId(UUID(int=1)),
        state=InvoiceState.READING,
        document_sha256=bytes(32),
        invoice_number="HF-1",
        currency=None,
        payable_amount_minor=None,
        kind=kind_of(reading),
    )
