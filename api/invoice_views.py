"""Owns the shapes in which invoices are shown to programs. Must never show a payee that was not matched."""

from datetime import date
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel

from api.views import Amount, Instant, amount_of
from treasurer.invoices.model import Invoice, InvoiceKind, InvoiceState
from treasurer.invoices.review import InvoiceReview
from treasurer.kernel.clock import iso
from treasurer.purchases.model import MatchState


class FindingView(BaseModel):
    code: str
    message: str
    field: str | None
    severity: str
    other_invoice_id: UUID | None


class PayeeReference(BaseModel):
    id: UUID
    code: str | None
    name: str | None


class InvoiceView(BaseModel):
    """Amounts are null until the document is read."""

    id: UUID
    kind: InvoiceKind
    state: InvoiceState
    channel: str
    document_sha256: str
    media_type: str
    filename: str | None
    submitted_by: UUID
    received_at: Instant
    findings: list[FindingView]
    payee: PayeeReference | None
    invoice_number: str | None
    issue_date: date | None
    due_date: date | None
    payable_amount: Amount | None
    open_amount: Amount | None
    purchase_state: MatchState | None


class StatementView(BaseModel):
    """A field as it was read (null: not at all) and as a person states it; equal when confirmed."""

    field: str
    read: str | None
    stated: str


class ReviewView(BaseModel):
    """What a person answered when the invoice was held. `accepted` are codes of findings."""

    id: UUID
    reviewer_id: UUID
    reason: str
    accepted: list[str]
    statements: list[StatementView]
    reviewed_at: Instant


class ReadInvoiceView(InvoiceView):
    """With what was read, field by field, where each stands in the document, and its reviews, oldest
    first.
    """

    reading: dict[str, Any] | None
    reviews: list[ReviewView]


def invoice_view(invoice: Invoice) -> InvoiceView:
    return InvoiceView(**_fields(invoice))


def invoice_json(invoice: Invoice) -> bytes:
    """What `invoice_view` makes, spelt without it: the busiest route answers nothing else."""
    fields = _fields(invoice)
    fields["received_at"] = iso(invoice.received_at)
    return orjson.dumps(fields, default=BaseModel.model_dump)


def read_invoice_view(
    invoice: Invoice, reading: dict[str, Any] | None, reviews: list[InvoiceReview]
) -> ReadInvoiceView:
    return ReadInvoiceView(
        **_fields(invoice), reading=reading, reviews=[_review_view(review) for review in reviews]
    )


def _review_view(review: InvoiceReview) -> ReviewView:
    return ReviewView(
        id=review.id,
        reviewer_id=review.reviewer_id,
        reason=review.reason,
        accepted=list(review.accepted),
        statements=[
            StatementView(field=each.field, read=each.read, stated=each.stated)
            for each in review.statements
        ],
        reviewed_at=review.reviewed_at,
    )


def _fields(invoice: Invoice) -> dict[str, Any]:
    def amount(minor: int | None) -> Amount | None:
        return (
            None
            if minor is None or invoice.currency is None
            else amount_of(minor, invoice.currency)
        )

    return {
        "id": invoice.id,
        "kind": invoice.kind,
        "state": invoice.state,
        "channel": invoice.channel,
        "document_sha256": invoice.document_sha256.hex(),
        "media_type": invoice.media_type,
        "filename": invoice.filename,
        "submitted_by": invoice.submitted_by,
        "received_at": invoice.received_at,
        "findings": [finding.to_json() for finding in invoice.findings],
        "payee": None
        if invoice.payee_id is None
        else {"id": invoice.payee_id, "code": invoice.payee_code, "name": invoice.payee_name},
        "invoice_number": invoice.invoice_number,
        "issue_date": invoice.issue_date,
        "due_date": invoice.due_date,
        "payable_amount": amount(invoice.payable_amount_minor),
        "open_amount": amount(invoice.open_amount_minor),
        "purchase_state": invoice.purchase_state,
    }
