"""Owns asking people about a payment. Must never ask about other bytes than would be signed."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from policy.decision import Decision
from treasurer.approvals.service import ApprovalService
from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import DecisionId
from treasurer.payees import change_store
from treasurer.payments import store
from treasurer.payments.facts import Candidate
from treasurer.payments.model import PaymentState, require_legal


async def ask(
    connection: AsyncConnection,
    approvals: ApprovalService,
    candidate: Candidate,
    decision: Decision,
    *,
    before: PaymentState,
    decision_id: DecisionId,
    now: datetime,
    again: str | None = None,
) -> None:
    """Let a payment wait for the people whom `decision` requires; earlier votes for its bytes count.

    Asked `again`, which is then told instead of the decision's own words, no earlier vote counts.
    The payment waits before the request opens, because standing votes may answer it at once.
    """
    payment = candidate.payment
    if decision.requirement is None:
        raise InvariantViolated("NOBODY_TO_ASK", "a decision without requirement asks nobody")
    require_legal(before, PaymentState.AWAITING_APPROVAL)
    await store.move(
        connection,
        payment.organization_id,
        payment.id,
        before,
        PaymentState.AWAITING_APPROVAL,
        explanation=again or decision.explanation,
        decision_id=decision_id,
    )
    changers = await change_store.changers(
        connection, payment.organization_id, payment.payee_id, now
    )
    await approvals.open(
        connection,
        payment.organization_id,
        payment_id=payment.id,
        order_digest=payment.order_digest,
        requirement=decision.requirement,
        requester_id=payment.initiator_id,
        now=now,
        barred=candidate.barred(now) | changers,
        inherit_votes=again is None,
    )
