"""Owns what becomes of a read invoice: the state that reading, match and duplicates lead to. Pure.

Must never let an invoice through that lacks a payee, a number, a currency or a positive amount,
whoever read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from treasurer.documents.reading import Finding, Outcome, Reading, Severity
from treasurer.invoices.duplicates import EXACT, Comparable, Duplicate
from treasurer.invoices.matching import Match
from treasurer.invoices.model import InvoiceFinding, InvoiceState
from treasurer.invoices.terms import Terms
from treasurer.kernel.digest import canonical_digest
from treasurer.kernel.ids import InvoiceId

HOLDING_NOTES = frozenset({"COLLECTED_BY_SELLER", "NOTHING_TO_PAY", "ALREADY_PAID"})
"""A sound reading may still say that paying it would be wrong; a person looks at those."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """The state to move to (`reading` means ready to be proposed), its findings, payee and terms, and by
    what later duplicates will be told.
    """

    state: InvoiceState
    findings: tuple[InvoiceFinding, ...]
    match: Match
    terms: Terms
    comparable: Comparable


def assess(
    reading: Reading,
    terms: Terms,
    term_findings: Sequence[InvoiceFinding],
    match: Match,
    comparable: Comparable,
    duplicates: Sequence[Duplicate],
) -> Assessment:
    """Combine what was found. The gravest wins: rejected, duplicate, needs_review, then ready.

    A container (a mail, a batch) is no invoice, whatever it says: its parts are.
    """
    if reading.parts and reading.outcome is not Outcome.REJECTED:
        noted = tuple(map(_from_reading, reading.findings))
        return Assessment(InvoiceState.UNPACKED, noted, Match(None, ()), terms, comparable)
    findings = [
        *map(_from_reading, reading.findings),
        *term_findings,
        *match.findings,
        *(duplicate.finding() for duplicate in duplicates),
    ]
    findings = list(dict.fromkeys(findings))
    severities = {finding.severity for finding in findings}
    if reading.outcome is Outcome.REJECTED or Severity.REJECT in severities:
        state = InvoiceState.REJECTED
    elif any(finding.code in EXACT for finding in findings):
        state = InvoiceState.DUPLICATE
    elif (
        reading.outcome is Outcome.REVIEW
        or Severity.REVIEW in severities
        or not _complete(terms, match)
    ):
        state = InvoiceState.NEEDS_REVIEW
    else:
        state = InvoiceState.READING
    return Assessment(state, tuple(findings), match, terms, comparable)


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


def _complete(terms: Terms, match: Match) -> bool:
    return (
        match.payee is not None
        and terms.invoice_number is not None
        and terms.currency is not None
        and terms.payable_amount_minor is not None
    )
