"""Owns what makes two invoices of a payee one. Pure; must never decide on a supplier's good faith.

Exact: the same canonical number, or the same bytes. Near: a number that looks alike, a variant of one
with an amount within one percent, or under another number the same lines within a week and a percent, or
the same text. Exact ones end as duplicates, near ones wait for a person.

An invoice that was set aside for a person is never paid itself, so it stands in nobody's way: once what
was wrong is put right, the same document or a clean copy of it is submitted again and judged by itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from treasurer.documents.reading import Severity
from treasurer.invoices.model import InvoiceFinding, InvoiceKind, InvoiceState
from treasurer.invoices.numbers import is_variant, looks_equal, number_key
from treasurer.kernel.ids import InvoiceId
from treasurer.kernel.money import Asset

DUPLICATE_INVOICE = "DUPLICATE_INVOICE"
DUPLICATE_DOCUMENT = "DUPLICATE_DOCUMENT"
NEAR_DUPLICATE_INVOICE = "NEAR_DUPLICATE_INVOICE"
DOCUMENT_SEEN_BEFORE = "DOCUMENT_SEEN_BEFORE"
NUMBER_SEEN_BEFORE = "NUMBER_SEEN_BEFORE"
EXACT = frozenset({DUPLICATE_INVOICE, DUPLICATE_DOCUMENT})
NEAR_DAYS = timedelta(days=7)


class DuplicateKind(StrEnum):
    EXACT = "exact"
    NEAR = "near"
    SEEN = "seen"
    """The same bytes, or the same number and amount, were set aside: this is judged by itself."""


@dataclass(frozen=True, slots=True)
class Comparable:
    """Of an invoice, what duplicates are told by. The number belongs to one payee and kind."""

    id: InvoiceId
    state: InvoiceState
    document_sha256: bytes
    invoice_number: str | None
    currency: Asset | None
    payable_amount_minor: int | None
    issue_date: date | None = None
    lines_digest: bytes | None = None
    text_digest: bytes | None = None
    kind: InvoiceKind = InvoiceKind.INVOICE


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An earlier invoice that this one repeats, and by what one can tell."""

    invoice_id: InvoiceId
    kind: DuplicateKind
    code: str
    reason: str

    def finding(self) -> InvoiceFinding:
        """Exact and near ones stop the invoice; one seen before is a note."""
        severity = Severity.NOTE if self.kind is DuplicateKind.SEEN else Severity.REVIEW
        by_bytes = self.code in (DUPLICATE_DOCUMENT, DOCUMENT_SEEN_BEFORE)
        field = None if by_bytes else "invoice_number"
        return InvoiceFinding(self.code, self.reason, field, severity, self.invoice_id)


def find_duplicates(invoice: Comparable, others: Iterable[Comparable]) -> tuple[Duplicate, ...]:
    """What `invoice` repeats among `others`: of the same payee, or of the same bytes. One each."""
    found = (_compare(invoice, other) for other in others if other.id != invoice.id)
    return tuple(duplicate for duplicate in found if duplicate is not None)


def _compare(invoice: Comparable, other: Comparable) -> Duplicate | None:
    if other.state in (InvoiceState.REJECTED, InvoiceState.DUPLICATE):
        return None
    in_review = other.state is InvoiceState.NEEDS_REVIEW
    if other.document_sha256 == invoice.document_sha256:
        kind = DuplicateKind.SEEN if in_review else DuplicateKind.EXACT
        code = DOCUMENT_SEEN_BEFORE if in_review else DUPLICATE_DOCUMENT
        return Duplicate(other.id, kind, code, "the very same document was submitted before")
    number, known = invoice.invoice_number, other.invoice_number
    if number is None or known is None:
        return _same_content(invoice, other)
    if number_key(number) == number_key(known):
        if in_review and _is_copy(invoice, other):
            reason = f"an earlier document of the number {known} was set aside"
            return Duplicate(other.id, DuplicateKind.SEEN, NUMBER_SEEN_BEFORE, reason)
        if in_review:
            return _near(
                other, f"a document of the number {known} over another amount is in review"
            )
        return Duplicate(
            other.id,
            DuplicateKind.EXACT,
            DUPLICATE_INVOICE,
            f"this payee's invoice {known} is here already",
        )
    if looks_equal(number, known):
        return _near(other, f"the number only looks like {known}, which is here already")
    if is_variant(number, known) and _amounts_agree(invoice, other):
        return _near(other, f"the number is a variant of {known}, with the same amount")
    return _same_content(invoice, other)


def _same_content(invoice: Comparable, other: Comparable) -> Duplicate | None:
    known = other.invoice_number or "without a number"
    if invoice.text_digest is not None and invoice.text_digest == other.text_digest:
        return _near(other, f"invoice {known} has the very same text")
    same_lines = invoice.lines_digest is not None and invoice.lines_digest == other.lines_digest
    if same_lines and _dates_agree(invoice, other) and _amounts_agree(invoice, other):
        return _near(other, f"invoice {known} of that week has the same lines and amount")
    return None


def _near(other: Comparable, reason: str) -> Duplicate:
    return Duplicate(other.id, DuplicateKind.NEAR, NEAR_DUPLICATE_INVOICE, reason)


def _is_copy(invoice: Comparable, other: Comparable) -> bool:
    """Whether both ask for the same, or of `other` no amount could be read."""
    amounts = _amounts(invoice, other)
    return other.payable_amount_minor is None if amounts is None else amounts[0] == amounts[1]


def _amounts_agree(left: Comparable, right: Comparable) -> bool:
    """Within one percent of the larger."""
    amounts = _amounts(left, right)
    return amounts is not None and abs(amounts[0] - amounts[1]) * 100 <= max(amounts)


def _dates_agree(left: Comparable, right: Comparable) -> bool:
    """Within a week; a date that was not read agrees with every date."""
    if left.issue_date is None or right.issue_date is None:
        return True
    return abs(left.issue_date - right.issue_date) <= NEAR_DAYS


def _amounts(left: Comparable, right: Comparable) -> tuple[int, int] | None:
    """Both amounts in one unit whatever the currency, because USD and USDC are near; None if unread."""
    if left.currency is None or right.currency is None:
        return None
    if left.payable_amount_minor is None or right.payable_amount_minor is None:
        return None
    return (
        left.payable_amount_minor * right.currency.base_units,
        right.payable_amount_minor * left.currency.base_units,
    )
