"""Owns what becomes of a read invoice: the state that reading, match and duplicates lead to. Pure.

Must never let an invoice through that lacks a payee, a number, a currency or a positive amount,
whoever read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from treasurer.documents.reading import Finding, Outcome, Reading, Severity
from treasurer.invoices.duplicates import EXACT, Comparable, Duplicate
from treasurer.invoices.matching import Match
from treasurer.invoices.model import InvoiceFinding, InvoiceKind, InvoiceState
from treasurer.invoices.review import Answers
from treasurer.invoices.terms import Terms
from treasurer.kernel.digest import canonical_digest
from treasurer.kernel.ids import InvoiceId
from treasurer.purchases.model import MatchState, OrderMatch

HOLDING_NOTES = frozenset(
    {
        "COLLECTED_BY_SELLER", "NOTHING_TO_PAY", "ALREADY_PAID", "CREDIT_NOTE", "NEGATIVE_TOTAL",
        "CORRECTED_INVOICE", "PRO_FORMA", "TEST_DOCUMENT", "DUE_BEFORE_ISSUE",
        "NUMBER_NOT_ON_PAGE", "NOT_AN_INVOICE", "CLAIM_ASSIGNED",
    }
)  # fmt: skip
"""A sound reading may still say that paying it would be wrong; a person looks at those."""

CREDIT_NOTE = "CREDIT_NOTE"

_AS_ORDERED = (MatchState.NO_ORDER, MatchState.MATCHED)


@dataclass(frozen=True, slots=True)
class Assessment:
    """The state to move to, with findings, payee and terms, and by what later duplicates are told.
    `reading` means ready to be proposed, `credited` a credit note that may be used.
    """

    state: InvoiceState
    findings: tuple[InvoiceFinding, ...]
    match: Match
    terms: Terms
    comparable: Comparable
    order: OrderMatch | None = None


def assess(
    reading: Reading,
    terms: Terms,
    term_findings: Sequence[InvoiceFinding],
    match: Match,
    comparable: Comparable,
    duplicates: Sequence[Duplicate],
    order: OrderMatch | None = None,
    answers: Answers | None = None,
) -> Assessment:
    """Combine what was found. The gravest wins: rejected, duplicate, needs_review, then ready.

    A container (a mail, a batch) is no invoice, whatever it says: its parts are. With `answers` the
    reader's outcome holds nothing by itself: it says no more than its findings.
    """
    if reading.parts and reading.outcome is not Outcome.REJECTED:
        noted = tuple(map(_from_reading, reading.findings))
        return Assessment(InvoiceState.UNPACKED, noted, Match(None, ()), terms, comparable)
    findings = [
        *map(_from_reading, reading.findings),
        *term_findings,
        *match.findings,
        *(duplicate.finding() for duplicate in duplicates),
        *(_order_findings(order) if order else []),
    ]
    credits = comparable.kind is InvoiceKind.CREDIT_NOTE
    if credits:
        findings = [_noted(finding) for finding in findings]
    if answers is not None:
        findings = [answers.finding(finding) for finding in findings]
    findings = list(dict.fromkeys(findings))
    severities = {finding.severity for finding in findings}
    if reading.outcome is Outcome.REJECTED or Severity.REJECT in severities:
        state = InvoiceState.REJECTED
    elif any(finding.code in EXACT for finding in findings):
        state = InvoiceState.DUPLICATE
    elif (
        (reading.outcome is Outcome.REVIEW and not credits and answers is None)
        or Severity.REVIEW in severities
        or not _complete(terms, match)
    ):
        state = InvoiceState.NEEDS_REVIEW
    else:
        state = InvoiceState.CREDITED if credits else InvoiceState.READING
    return Assessment(state, tuple(findings), match, terms, comparable, order)


def kind_of(reading: Reading) -> InvoiceKind:
    """A credit note by the reader's word or by the finding of the checks: what either says holds."""
    said = reading.fields.get("document_kind") == "credit_note"
    found = any(finding.code == CREDIT_NOTE for finding in reading.findings)
    return InvoiceKind.CREDIT_NOTE if said or found else InvoiceKind.INVOICE


def proposal_digest(invoice_id: InvoiceId, reading: Reading, assessment: Assessment) -> str:
    """SHA-256 in hex over what is proposed and why. The same document, master and history give the
    same digest, whoever or whatever read it: a run replays to it.
    """
    terms, payee = assessment.terms, assessment.match.payee
    return canonical_digest(
        {
            "invoice_id": str(invoice_id),
            "document_sha256": reading.document_sha256,
            "state": assessment.state.value,
            "findings": sorted({finding.code for finding in assessment.findings}),
            "payee_id": str(payee.id) if payee else None,
            "invoice_number": terms.invoice_number,
            "currency": terms.currency.symbol if terms.currency else None,
            "decimals": terms.currency.decimals if terms.currency else None,
            "amount_minor": str(terms.payable_amount_minor),
        }
    ).hex()


def _from_reading(finding: Finding) -> InvoiceFinding:
    own = InvoiceFinding(finding.code, finding.message, finding.field, finding.severity)
    if own.code in HOLDING_NOTES and own.severity is Severity.NOTE:
        return replace(own, severity=Severity.REVIEW)
    return own


def _order_findings(match: OrderMatch) -> list[InvoiceFinding]:
    """Anything but agreement, or no order at all, waits for a person."""
    if match.state in _AS_ORDERED:
        return []
    return [InvoiceFinding(match.code, match.reason, "purchase_order", Severity.REVIEW)]


def _noted(finding: InvoiceFinding) -> InvoiceFinding:
    """That it is a credit note holds nothing up: it is dealt with as one."""
    return replace(finding, severity=Severity.NOTE) if finding.code == CREDIT_NOTE else finding


def _complete(terms: Terms, match: Match) -> bool:
    return (
        match.payee is not None
        and terms.invoice_number is not None
        and terms.currency is not None
        and terms.payable_amount_minor is not None
    )
