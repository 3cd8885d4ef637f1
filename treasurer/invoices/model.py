"""Owns what an invoice is and how its state may move. Pure; must never hold an amount as a fraction.

received → reading → needs_review | duplicate | rejected | unpacked | proposed | credited, and proposed →
paid | needs_review | reading. A credit note that may be used is `credited`, and so is an invoice that
credit notes closed. An invoice that was read and stays in `reading` is the only one that may be
proposed. A review, in which a person answers what held it, leads from needs_review back to reading;
else the document is put right and submitted again, as a new invoice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from treasurer.documents.reading import Severity
from treasurer.kernel.errors import InvariantViolated, NotFound
from treasurer.kernel.ids import InvoiceId, PayeeId, UserId
from treasurer.kernel.money import Asset
from treasurer.purchases.model import MatchState


class InvoiceState(StrEnum):
    RECEIVED = "received"
    READING = "reading"
    NEEDS_REVIEW = "needs_review"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    UNPACKED = "unpacked"
    PROPOSED = "proposed"
    PAID = "paid"
    CREDITED = "credited"


class InvoiceKind(StrEnum):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    """Reduces what is owed; never paid, never proposed."""


_S = InvoiceState
LEGAL: Mapping[InvoiceState, frozenset[InvoiceState]] = {
    _S.RECEIVED: frozenset({_S.READING}),
    _S.READING: frozenset(
        {_S.NEEDS_REVIEW, _S.DUPLICATE, _S.REJECTED, _S.UNPACKED, _S.PROPOSED, _S.CREDITED}
    ),
    # A person answered all that held it; it is judged again.
    _S.NEEDS_REVIEW: frozenset({_S.READING}),
    _S.DUPLICATE: frozenset(),
    _S.REJECTED: frozenset(),
    # A mail or a batch: its documents were received as invoices of their own.
    _S.UNPACKED: frozenset(),
    # Its payment was denied or ran out: people look at it, and its number is free again.
    # Or a credit note came: it is proposed anew over what is left.
    _S.PROPOSED: frozenset({_S.PAID, _S.NEEDS_REVIEW, _S.READING}),
    _S.PAID: frozenset(),
    _S.CREDITED: frozenset(),
}

UNREAD = frozenset({_S.RECEIVED, _S.READING})
"""States in which a reading may still be recorded; a repeated job finds another state and ends."""


def require_legal(before: InvoiceState, after: InvoiceState) -> None:
    """Raise InvariantViolated unless an invoice may move from `before` to `after`."""
    if after not in LEGAL[before]:
        raise InvariantViolated("INVOICE_TRANSITION", f"an invoice never goes {before} → {after}")


@dataclass(frozen=True, slots=True)
class InvoiceFinding:
    """What intake found. `other_invoice_id` names the invoice that a duplicate resembles."""

    code: str
    message: str
    field: str | None
    severity: Severity
    other_invoice_id: InvoiceId | None = None

    def to_json(self) -> dict[str, str | None]:
        return {
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "severity": self.severity.value,
            "other_invoice_id": str(self.other_invoice_id) if self.other_invoice_id else None,
        }


@dataclass(frozen=True, slots=True)
class Invoice:
    """A received document and what was read of it. Amounts are base units of `currency`; None until
    read. The payee is a match in the master, never the document's own word.
    """

    id: InvoiceId
    state: InvoiceState
    channel: str
    document_sha256: bytes
    media_type: str
    filename: str | None
    submitted_by: UserId
    received_at: datetime
    findings: tuple[InvoiceFinding, ...]
    payee_id: PayeeId | None = None
    payee_code: str | None = None
    payee_name: str | None = None
    invoice_number: str | None = None
    issue_date: date | None = None
    due_date: date | None = None
    currency: Asset | None = None
    payable_amount_minor: int | None = None
    open_amount_minor: int | None = None
    kind: InvoiceKind = InvoiceKind.INVOICE
    purchase_state: MatchState | None = None


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """The bytes as received. `media_type` is the sender's word; serve it as an attachment."""

    content: bytes
    media_type: str
    filename: str | None
    sha256: bytes


def not_found() -> NotFound:
    """The error for an id that is not among the organization's invoices."""
    return NotFound("INVOICE_NOT_FOUND", "no invoice of that id is here")
