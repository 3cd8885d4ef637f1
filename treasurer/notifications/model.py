"""Owns the kinds of notifications, their states, and what each kind has to say. Pure.

Must never carry a secret: a link's token exists only in the mail that is being sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType
from uuid import UUID

from policy.decision import ApprovalRequirement
from treasurer.kernel.ids import ApprovalRequestId, InvoiceId, OrganizationId, PaymentId, UserId
from treasurer.kernel.money import Asset

NotificationId = NewType("NotificationId", UUID)


class NotificationKind(StrEnum):
    """The value names the templates, too."""

    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_REMINDER = "approval_reminder"
    APPROVAL_ESCALATED = "approval_escalated"
    PAYMENT_REFUSED = "payment_refused"
    PAYMENT_SETTLED = "payment_settled"
    INVOICE_NEEDS_REVIEW = "invoice_needs_review"
    INVOICE_REJECTED = "invoice_rejected"


class NotificationState(StrEnum):
    """`sent`: the mail server took it over; a bounce that comes later is not seen here.

    `failed`: refused for good, or undeliverable for days. `withdrawn`: it had nothing to say any
    more when its turn came. A crash between the server's answer and our commit sends the mail again
    with the same Message-ID, by which readers' programs know a duplicate: SMTP offers no more.
    """

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


GIVE_UP_AFTER = timedelta(days=5)
"""RFC 5321 4.5.4.1: keep trying for at least four to five days."""

_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=1)


def wait_after(attempts: int) -> timedelta:
    """How long to wait after that many failed attempts: doubling from 30 s, at most an hour."""
    doubled: timedelta = _FIRST_WAIT * (1 << min(attempts - 1, 10))
    return min(doubled, _LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class Notification:
    """One mail to one address. `attempts` counts the deliveries begun."""

    id: NotificationId
    organization_id: OrganizationId
    kind: NotificationKind
    subject_id: UUID
    recipient: str
    state: NotificationState
    attempts: int
    claimed_until: datetime | None
    error: str
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """What is paid, read from the order's own bytes. `recipient` is the full 0x address."""

    payment_id: PaymentId
    organization_name: str
    payee_name: str
    payee_code: str
    invoice_number: str | None
    asset: Asset
    amount_minor: int
    chain_id: int
    token: str
    recipient: str
    not_after: datetime
    order_digest: bytes


@dataclass(frozen=True, slots=True)
class ReviewNote:
    """Why an invoice that was held goes on. `accepted` are codes of findings, `stated` is by field."""

    reviewer_name: str
    reason: str
    accepted: tuple[str, ...]
    stated: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ApprovalQuestion:
    """To an approver: decide on this. `approver_id` is the person whom the link will be for."""

    request_id: ApprovalRequestId
    approver_id: UserId
    terms: PaymentTerms
    requirement: ApprovalRequirement
    explanation: str
    requester_name: str
    expires_at: datetime
    reviews: tuple[ReviewNote, ...] = ()


@dataclass(frozen=True, slots=True)
class PaymentRefusal:
    """To the submitter: this was not paid. `state` is denied or expired."""

    terms: PaymentTerms
    state: str
    explanation: str
    rejected_by: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Remittance:
    """To the payee, with a copy to the submitter: this was paid."""

    terms: PaymentTerms
    transaction_hash: bytes
    settled_at: datetime


@dataclass(frozen=True, slots=True)
class DocumentFault:
    """One finding about a document."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class InvoiceNotice:
    """To the submitter: this document was not taken as it is."""

    invoice_id: InvoiceId
    organization_name: str
    filename: str | None
    invoice_number: str | None
    state: str
    faults: tuple[DocumentFault, ...]
    received_at: datetime


Content = ApprovalQuestion | PaymentRefusal | Remittance | InvoiceNotice
