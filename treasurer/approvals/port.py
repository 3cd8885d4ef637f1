"""Owns what approvals ask of payments. Must never import them: payments stand above approvals."""

from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import OrganizationId, PaymentId, UserId


class PaymentGate(Protocol):
    """Moves a waiting payment on, in the transaction that closes its request.

    Called under the request's row lock, so that a payment hears exactly one answer a request. An
    implementation locks the payment after that, never before: the order is request → payment.
    """

    async def approved(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        *,
        actor: UserId,
        now: datetime,
    ) -> None:
        """The quorum is met; `actor` cast the vote that completed it."""

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
        """`actor` said no, for `reason`."""

    async def reopened(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        *,
        actor: UserId,
        now: datetime,
    ) -> None:
        """`actor` took back a vote that the quorum needs: the payment waits again.

        Raises Conflict (PAYMENT_UNDER_WAY) once the payment was reserved; nothing is changed then.
        """

    async def expired(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        *,
        now: datetime,
    ) -> None:
        """Nobody completed the quorum in time."""
