"""Owns the end of a request: its final state, the record of it, and what the payment hears.

Must never close a request whose row the caller has not locked.
"""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.approvals import store
from treasurer.approvals.model import ApprovalRequest, RequestState, Vote
from treasurer.approvals.port import PaymentGate
from treasurer.audit.model import AuditEvent
from treasurer.audit.store import append
from treasurer.kernel.digest import Canonical
from treasurer.kernel.ids import ApprovalRequestId, NewId, UserId


class Closing:
    """Ends requests and tells the gate, in the caller's transaction."""

    def __init__(self, *, gate: PaymentGate, new_id: NewId) -> None:
        self._gate = gate
        self._new_id = new_id

    async def approve(
        self, connection: AsyncConnection, request: ApprovalRequest, actor: UserId, now: datetime
    ) -> ApprovalRequest:
        """The quorum is met; `actor` completed it."""
        closed = await self._close(connection, request, RequestState.APPROVED, actor, now)
        await self._gate.approved(
            connection, request.organization_id, request.payment_id, actor=actor, now=now
        )
        return closed

    async def refuse(
        self, connection: AsyncConnection, request: ApprovalRequest, vote: Vote, now: datetime
    ) -> ApprovalRequest:
        """One rejection refuses, whatever the approvals before it."""
        closed = await self._close(connection, request, RequestState.REFUSED, vote.user_id, now)
        await self._gate.refused(
            connection,
            request.organization_id,
            request.payment_id,
            reason=vote.reason,
            actor=vote.user_id,
            now=now,
        )
        return closed

    async def reopen(
        self, connection: AsyncConnection, request: ApprovalRequest, actor: UserId, now: datetime
    ) -> None:
        """`actor` took back a vote that the approved request needs; a new request has to follow."""
        await self._gate.reopened(
            connection, request.organization_id, request.payment_id, actor=actor, now=now
        )

    async def expire(
        self, connection: AsyncConnection, request: ApprovalRequest, now: datetime
    ) -> ApprovalRequest:
        """The time is over and the quorum is not met."""
        closed = await self._close(connection, request, RequestState.EXPIRED, None, now)
        await self._gate.expired(connection, request.organization_id, request.payment_id, now=now)
        return closed

    async def record(
        self,
        connection: AsyncConnection,
        request: ApprovalRequest,
        kind: str,
        now: datetime,
        *,
        about: ApprovalRequestId | None = None,
        actor: UserId | None = None,
        **payload: Canonical,
    ) -> None:
        """Append an audit event about `request`, or about another one of the same payment."""
        event = AuditEvent(
            aggregate="approval_request",
            aggregate_id=about or request.id,
            kind=f"approval.{kind}",
            payload={"payment_id": str(request.payment_id), **payload},
            actor_id=actor,
        )
        await append(connection, request.organization_id, [event], now=now, new_id=self._new_id)

    async def _close(
        self,
        connection: AsyncConnection,
        request: ApprovalRequest,
        state: RequestState,
        actor: UserId | None,
        now: datetime,
    ) -> ApprovalRequest:
        closed = request.closed(state, now)
        await store.close(connection, closed)
        voters = sorted(str(vote.user_id) for vote in request.counted(now))
        await self.record(connection, request, state.value, now, actor=actor, voters=voters)
        return closed
