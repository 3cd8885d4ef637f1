"""Owns what a payment is and how its state may move. Pure; must never skip a state."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import (
    InvoiceId,
    OrganizationId,
    PayeeAddressId,
    PayeeId,
    PaymentId,
    UserId,
)
from treasurer.kernel.money import Asset
from treasurer.kernel.organization import PrincipalKind


class PaymentState(StrEnum):
    PROPOSED = "proposed"
    DENIED = "denied"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    EXPIRED = "expired"
    EXECUTING = "executing"
    SETTLED = "settled"
    NEEDS_ATTENTION = "needs_attention"


_S = PaymentState
LEGAL: dict[PaymentState, frozenset[PaymentState]] = {
    _S.PROPOSED: frozenset({_S.DENIED, _S.AWAITING_APPROVAL, _S.APPROVED, _S.EXPIRED}),
    _S.AWAITING_APPROVAL: frozenset({_S.APPROVED, _S.DENIED, _S.EXPIRED}),
    # A stricter policy at reserve asks people again.
    _S.APPROVED: frozenset({_S.AWAITING_APPROVAL, _S.DENIED, _S.EXPIRED, _S.EXECUTING}),
    # Back to approved when its transfer was voided: nothing left the wallet.
    _S.EXECUTING: frozenset({_S.SETTLED, _S.APPROVED, _S.NEEDS_ATTENTION}),
    # Two people resolved its transfer; from there it ends as any other.
    _S.NEEDS_ATTENTION: frozenset({_S.EXECUTING}),
    _S.DENIED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.SETTLED: frozenset(),
}


def require_legal(before: PaymentState, after: PaymentState) -> None:
    """Raise InvariantViolated unless a payment may move from `before` to `after`."""
    if after not in LEGAL[before]:
        raise InvariantViolated("PAYMENT_TRANSITION", f"a payment never goes {before} → {after}")


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as people and services read it. `amount_minor` is in base units of `asset`."""

    id: PaymentId
    organization_id: OrganizationId
    invoice_id: InvoiceId | None
    invoice_number: str | None
    payee_id: PayeeId
    payee_code: str
    payee_name: str
    payee_address_id: PayeeAddressId
    recipient: str
    state: PaymentState
    initiator_id: UserId
    initiator_kind: PrincipalKind
    asset: Asset
    amount_minor: int
    reporting_amount_minor: int
    order_bytes: bytes
    order_digest: bytes
    not_after: datetime
    explanation: str
    transaction_hash: bytes | None
    settled_at: datetime | None
    balance_after_minor: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One decision of a payment with all that it was made from: it replays byte for byte (I10)."""

    stage: str
    outcome: str
    policy_digest: bytes
    request: bytes
    facts: bytes
    decision: bytes
    decided_at: datetime
