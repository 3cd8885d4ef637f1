"""Owns the payments' routes. There is none that makes a payment: an invoice does, by the policy."""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends
from pydantic import BaseModel

from api.audit import EventView, event_view
from api.auth import Provided, requires
from api.views import Amount, Before, Instant, Most, Page, amount_of, page_of
from treasurer.audit import store as audit
from treasurer.kernel.ids import PaymentId
from treasurer.kernel.organization import Permission, Principal
from treasurer.payments.model import Payment, PaymentState, StoredDecision
from treasurer.reports.story import TransferRow, transfers_of

router = APIRouter(prefix="/api/v1/payments", tags=["payments"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]

_MOST_EVENTS = 100


class PaymentView(BaseModel):
    """`order_digest` names what is approved and signed; `transaction_hash` what the chain shows."""

    id: UUID
    state: PaymentState
    invoice_id: UUID | None
    invoice_number: str | None
    payee_id: UUID
    payee_code: str
    payee_name: str
    recipient: str
    amount: Amount
    order_digest: str
    not_after: Instant
    explanation: str
    transaction_hash: str | None
    settled_at: Instant | None
    balance_after: Amount | None
    initiator_id: UUID
    initiator_kind: str
    created_at: Instant


class DecisionView(BaseModel):
    """A policy decision as it was stored: the very documents that it replays from."""

    stage: str
    outcome: str
    decided_at: Instant
    policy_digest: str
    decision: dict[str, Any]
    request: dict[str, Any]
    facts: dict[str, Any]


class AttemptView(BaseModel):
    """One signed transaction of a slot: a payment, a bump of its fees, or the cancel."""

    number: int
    kind: str
    transaction_hash: str
    max_fee_per_gas_wei: str
    created_at: Instant


class TransferView(BaseModel):
    """One nonce slot that carries, or carried, the payment."""

    id: UUID
    state: str
    chain_id: int
    sender: str
    nonce: int | None
    block_number: int | None
    block_hash: str | None
    reason: str
    created_at: Instant
    settled_at: Instant | None
    attempts: list[AttemptView]


class PaymentStory(PaymentView):
    """With its decisions and everything that was recorded about it, newest first, and its transfers with
    all their attempts, oldest first.
    """

    decisions: list[DecisionView]
    transfers: list[TransferView]
    events: list[EventView]


def payment_view(payment: Payment) -> PaymentView:
    return PaymentView(**_fields(payment))


def decision_view(stored: StoredDecision) -> DecisionView:
    return DecisionView(
        stage=stored.stage,
        outcome=stored.outcome,
        decided_at=stored.decided_at,
        policy_digest=stored.policy_digest.hex(),
        decision=orjson.loads(stored.decision),
        request=orjson.loads(stored.request),
        facts=orjson.loads(stored.facts),
    )


@router.get("")
async def payments(
    caller: Reader,
    services: Provided,
    before: Before = None,
    most: Most = 50,
    state: PaymentState | None = None,
) -> Page[PaymentView]:
    """The organization's payments, newest first."""
    found = await services.payments.page(
        caller, before=PaymentId(before) if before else None, most=most, state=state
    )
    return page_of([payment_view(payment) for payment in found], most, found and found[-1].id)


@router.get("/{payment_id}")
async def payment(payment_id: UUID, caller: Reader, services: Provided) -> PaymentStory:
    """One payment with its story."""
    found = await services.payments.get(caller, PaymentId(payment_id))
    decisions = await services.payments.decisions(caller, found.id)
    async with services.database.unit(caller.organization_id) as connection:
        events = await audit.event_page(
            connection,
            caller.organization_id,
            before=None,
            aggregate_id=found.id,
            most=_MOST_EVENTS,
        )
        transfers = await transfers_of(connection, caller.organization_id, found.id)
    return PaymentStory(
        **_fields(found),
        decisions=[decision_view(stored) for stored in decisions],
        transfers=[_transfer_view(transfer) for transfer in transfers],
        events=[event_view(event) for event in events],
    )


def _transfer_view(transfer: TransferRow) -> TransferView:
    block_hash = transfer.block_hash
    return TransferView(
        id=transfer.id,
        state=transfer.state,
        chain_id=transfer.chain_id,
        sender=transfer.sender,
        nonce=transfer.nonce,
        block_number=transfer.block_number,
        block_hash=None if block_hash is None else f"0x{block_hash.hex()}",
        reason=transfer.reason,
        created_at=transfer.created_at,
        settled_at=transfer.settled_at,
        attempts=[
            AttemptView(
                number=attempt.number,
                kind=attempt.kind,
                transaction_hash=f"0x{attempt.transaction_hash.hex()}",
                max_fee_per_gas_wei=str(attempt.max_fee_per_gas_wei),
                created_at=attempt.created_at,
            )
            for attempt in transfer.attempts
        ],
    )


def _fields(payment: Payment) -> dict[str, Any]:
    balance = payment.balance_after_minor
    transaction_hash = payment.transaction_hash
    return {
        "id": payment.id,
        "state": payment.state,
        "invoice_id": payment.invoice_id,
        "invoice_number": payment.invoice_number,
        "payee_id": payment.payee_id,
        "payee_code": payment.payee_code,
        "payee_name": payment.payee_name,
        "recipient": payment.recipient,
        "amount": amount_of(payment.amount_minor, payment.asset),
        "order_digest": payment.order_digest.hex(),
        "not_after": payment.not_after,
        "explanation": payment.explanation,
        "transaction_hash": None if transaction_hash is None else f"0x{transaction_hash.hex()}",
        "settled_at": payment.settled_at,
        "balance_after": None if balance is None else amount_of(balance, payment.asset),
        "initiator_id": payment.initiator_id,
        "initiator_kind": payment.initiator_kind,
        "created_at": payment.created_at,
    }
