import pytest

from tests.support.cii import cii
from tests.support.documents import parse, ubl_invoice
from treasurer.documents.reading import Outcome, Severity
from treasurer.invoices.assessment import assess
from treasurer.invoices.matching import Match
from treasurer.invoices.model import InvoiceState
from treasurer.invoices.terms import terms_of

TEST = "<ram:TestIndicator><udt:Indicator>true</udt:Indicator></ram:TestIndicator>"
START = "<rsm:ExchangedDocumentContext>"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (cii(("TypeCode>380<", "TypeCode>381<")), "CREDIT_NOTE"),
        (ubl_invoice().replace(b"TypeCode>380<", b"TypeCode>381<"), "CREDIT_NOTE"),
        (cii((START, START + TEST)), "TEST_DOCUMENT"),
        (ubl_invoice(payable="-512.00", total="-512.00"), "NEGATIVE_TOTAL"),
    ],
)
def test_sound_readings_that_must_not_be_paid_are_held_for_a_person(content, code):
    reading = parse(content)
    assert reading.outcome is Outcome.ACCEPTED
    terms, findings = terms_of(reading.fields)
    assessment = assess(reading, terms, findings, Match(None, ()), ())
    assert assessment.state is InvoiceState.NEEDS_REVIEW
    assert (code, Severity.REVIEW) in {(f.code, f.severity) for f in assessment.findings}
    assert Severity.NOTE not in {f.severity for f in assessment.findings}
