"""Owns how a payment goes on or ends once it was proposed, with its record and its mails.

Serves approvals as their gate and the saga as its desk. Must never move a payment that is not in the
state which the caller's event presumes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.invoices import credits
from treasurer.kernel.digest import Canonical
from treasurer.kernel.errors import Conflict, InvariantViolated
from treasurer.kernel.ids import DecisionId, NewId, OrganizationId, PaymentId, UserId
from treasurer.notifications.model import NotificationKind
from treasurer.notifications.service import Outbox
from treasurer.payments import allocation_store, store
from treasurer.payments.drifting import Again
from treasurer.payments.model import PaymentState, require_legal


class PaymentOutcomes:
    """Transitions of payments, each in its caller's transaction."""

    def __init__(self, *, outbox: Outbox, new_id: NewId) -> None:
        self._outbox = outbox
        self._new_id = new_id

    async def approved(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        *,
        actor: UserId,
        now: datetime,
    ) -> None:
        """The quorum is met: due for reserve at once."""
        await self._move(
            connection,
            organization_id,
            payment_id,
            PaymentState.AWAITING_APPROVAL,
            PaymentState.APPROVED,
            next_at=now,
        )
        await self._record(
            connection, organization_id, "payment.approved", {payment_id: {}}, now, actor
        )

    async def pass_on(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        now: datetime,
        *,
        explanation: str,
        decision_id: DecisionId,
    ) -> None:
        """Nobody has to be asked: due for reserve, which decides bindingly."""
        await self._move(
            connection,
            organization_id,
            payment_id,
            PaymentState.PROPOSED,
            PaymentState.APPROVED,
            explanation=explanation,
            decision_id=decision_id,
            next_at=now,
        )
        await self._record(
            connection,
            organization_id,
            "payment.approved",
            {payment_id: {"explanation": explanation}},
            now,
            None,
        )

    async def reopened(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        *,
        actor: UserId,
        now: datetime,
    ) -> None:
        """A vote that the quorum needs was taken back in time: the payment waits again."""
        before, after = PaymentState.APPROVED, PaymentState.AWAITING_APPROVAL
        require_legal(before, after)
        if not await store.move(connection, organization_id, payment_id, before, after):
            raise Conflict(
                "PAYMENT_UNDER_WAY",
                "the payment is reserved or over, so votes on it stand; freeze outflows if it must "
                "not leave",
            )
        await self._record(
            connection, organization_id, "payment.reopened", {payment_id: {}}, now, actor
        )

    async def drifted(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        again: Again,
        now: datetime,
    ) -> None:
        """Record why people are asked once more, and which order took the place of which."""
        payload: dict[str, Canonical] = {
            "reasons": list(again.reasons),
            "replaced_digest": again.replaced.hex(),
            "order_digest": again.candidate.payment.order_digest.hex(),
        }
        payment_id = again.candidate.payment.id
        await self._record(
            connection, organization_id, "payment.drifted", {payment_id: payload}, now, None
        )

    async def refused(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        *,
        reason: str,
        actor: UserId,
        now: datetime,
    ) -> None:
        """Somebody said no; the submitter is told why."""
        await self.end(
            connection,
            organization_id,
            payment_id,
            PaymentState.AWAITING_APPROVAL,
            PaymentState.DENIED,
            now,
            explanation=f"Refused by an approver: {reason}",
            actor=actor,
        )

    async def expired(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        *,
        now: datetime,
    ) -> None:
        """Nobody completed the quorum in time."""
        await self.end(
            connection,
            organization_id,
            payment_id,
            PaymentState.AWAITING_APPROVAL,
            PaymentState.EXPIRED,
            now,
            explanation="Nobody decided in time. Submit the invoice again to ask anew.",
        )

    async def end(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        before: PaymentState,
        after: PaymentState,
        now: datetime,
        *,
        explanation: str,
        decision_id: DecisionId | None = None,
        actor: UserId | None = None,
    ) -> None:
        """Deny or expire: the invoice gets its open amount back and goes to review."""
        await self._move(
            connection,
            organization_id,
            payment_id,
            before,
            after,
            explanation=explanation,
            decision_id=decision_id,
        )
        returned = await allocation_store.release(connection, organization_id, [payment_id])
        await credits.release(connection, organization_id, returned)
        events = [
            self._event(payment_id, f"payment.{after.value}", {"explanation": explanation}, actor)
        ]
        events += [
            AuditEvent(
                "invoice",
                invoice_id,
                "invoice.returned",
                {"payment_id": str(payment_id), "state": "needs_review", "reason": after.value},
                actor,
            )
            for invoice_id in returned
        ]
        await audit.append(connection, organization_id, events, now=now, new_id=self._new_id)
        await self._outbox.announce(
            connection, organization_id, NotificationKind.PAYMENT_REFUSED, [payment_id]
        )

    async def settled(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        settled: Mapping[PaymentId, tuple[bytes, int]],
        now: datetime,
    ) -> None:
        """(transaction hash, wallet balance after) each; remittance advice goes out."""
        await store.settle(connection, organization_id, settled, now)
        paid = await allocation_store.settle(connection, organization_id, list(settled))
        events = [
            self._event(
                payment_id, "payment.settled", {"transaction_hash": transaction_hash.hex()}, None
            )
            for payment_id, (transaction_hash, _) in settled.items()
        ]
        events += [
            AuditEvent("invoice", invoice_id, "invoice.paid", {})
            for invoice_id, state in paid
            if state == "paid"
        ]
        await audit.append(connection, organization_id, events, now=now, new_id=self._new_id)
        await self._outbox.announce(
            connection, organization_id, NotificationKind.PAYMENT_SETTLED, list(settled)
        )

    async def voided(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        ids: Sequence[PaymentId],
        *,
        now: datetime,
        next_at: datetime,
    ) -> None:
        """Their transfer ended without paying: reserve decides afresh at `next_at`."""
        moved = await store.move_many(
            connection,
            organization_id,
            ids,
            PaymentState.EXECUTING,
            PaymentState.APPROVED,
            next_at=next_at,
        )
        if moved != len(ids):
            raise InvariantViolated("PAYMENT_NOT_EXECUTING", "a voided transfer's payment moved on")
        await self._record(
            connection, organization_id, "payment.returned", {id_: {} for id_ in ids}, now, None
        )

    async def resumed(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        ids: Sequence[PaymentId],
        now: datetime,
    ) -> None:
        """Two people resolved their transfer: they execute again, and end as the chain says."""
        moved = await store.move_many(
            connection,
            organization_id,
            ids,
            PaymentState.NEEDS_ATTENTION,
            PaymentState.EXECUTING,
        )
        if moved != len(ids):
            raise InvariantViolated("PAYMENT_STATE", "a quarantined transfer's payment moved on")
        await self._record(
            connection, organization_id, "payment.resumed", {id_: {} for id_ in ids}, now, None
        )

    async def needs_attention(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        ids: Sequence[PaymentId],
        *,
        reason: str,
        now: datetime,
    ) -> None:
        """The chain contradicts the books: people decide with evidence."""
        await store.move_many(
            connection,
            organization_id,
            ids,
            PaymentState.EXECUTING,
            PaymentState.NEEDS_ATTENTION,
        )
        await self._record(
            connection,
            organization_id,
            "payment.needs_attention",
            {id_: {"reason": reason} for id_ in ids},
            now,
            None,
        )

    async def _move(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        before: PaymentState,
        after: PaymentState,
        *,
        explanation: str | None = None,
        decision_id: DecisionId | None = None,
        next_at: datetime | None = None,
    ) -> None:
        require_legal(before, after)
        moved = await store.move(
            connection,
            organization_id,
            payment_id,
            before,
            after,
            explanation=explanation,
            decision_id=decision_id,
            next_at=next_at,
        )
        if not moved:
            raise InvariantViolated("PAYMENT_STATE", f"payment {payment_id} is not {before}")

    async def _record(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        kind: str,
        payloads: Mapping[PaymentId, Mapping[str, Canonical]],
        now: datetime,
        actor: UserId | None,
    ) -> None:
        events = [self._event(id_, kind, payload, actor) for id_, payload in payloads.items()]
        await audit.append(connection, organization_id, events, now=now, new_id=self._new_id)

    @staticmethod
    def _event(
        payment_id: PaymentId, kind: str, payload: Mapping[str, Canonical], actor: UserId | None
    ) -> AuditEvent:
        return AuditEvent("payment", payment_id, kind, payload, actor)
