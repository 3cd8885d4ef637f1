"""Owns who delivers a mail at a time, and how each delivery ends.

Must never leave a mail in neither place: what could not be sent is put back on the queue in the
transaction that records why.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit.model import AuditEvent
from treasurer.audit.store import append
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import TreasurerError
from treasurer.kernel.ids import NewId, OrganizationId
from treasurer.notifications import store
from treasurer.notifications.model import (
    GIVE_UP_AFTER,
    Notification,
    NotificationId,
    NotificationState,
    wait_after,
)

CLAIM_FOR = timedelta(minutes=5)
"""Longer than any transport takes (`smtp.LONGEST_SEND_S`)."""

SendLater = Callable[[AsyncConnection, Notification, datetime], Awaitable[None]]
"""Puts a delivery on the queue, due at the instant, in the given transaction."""

_log = structlog.get_logger(__name__)


class Claims:
    """Each call is a transaction of its own."""

    def __init__(
        self, *, database: Database, send_later: SendLater, clock: Clock, new_id: NewId
    ) -> None:
        self._database = database
        self._send_later = send_later
        self._clock = clock
        self._new_id = new_id

    async def take(
        self, organization_id: OrganizationId, notification_id: NotificationId
    ) -> Notification | NotificationState | None:
        """The notification, ours to deliver; or its state where there is nothing to do now."""
        now = self._clock()
        async with self._database.unit(organization_id) as connection:
            claimed = await store.claim(
                connection, organization_id, notification_id, now=now, until=now + CLAIM_FOR
            )
            if claimed:
                return claimed
            other = await store.get(connection, organization_id, notification_id)
            if other is None:
                return None
            if other.state is NotificationState.QUEUED:
                # Either somebody sends it just now, or whoever did was killed: look again then.
                await self._send_later(connection, other, other.claimed_until or now)
            return other.state

    async def put_back(self, claimed: Notification, error: TreasurerError) -> NotificationState:
        """It could not be sent, or nobody knows: try again later, but not for ever."""
        now = self._clock()
        if now - claimed.created_at >= GIVE_UP_AFTER:
            return await self.close(claimed, NotificationState.FAILED, error)
        due = now + wait_after(claimed.attempts)
        async with self._database.unit(claimed.organization_id) as connection:
            await store.release(connection, claimed, str(error))
            await self._send_later(connection, claimed, due)
        _log.warning(
            "mail_put_back",
            notification_id=str(claimed.id),
            attempts=claimed.attempts,
            code=error.code,
            due=due.isoformat(),
        )
        return NotificationState.QUEUED

    async def close(
        self, claimed: Notification, state: NotificationState, error: TreasurerError | None = None
    ) -> NotificationState:
        """Write the final `state` and record it, once."""
        now = self._clock()
        async with self._database.unit(claimed.organization_id) as connection:
            closed = await store.close(
                connection,
                claimed,
                state,
                sent_at=now if state is NotificationState.SENT else None,
                error=str(error) if error else "",
            )
            if closed:
                event = AuditEvent(
                    aggregate="notification",
                    aggregate_id=claimed.id,
                    kind=f"notification.{state}",
                    payload={
                        "kind": claimed.kind.value,
                        "subject_id": str(claimed.subject_id),
                        "recipient": claimed.recipient,
                        "attempts": claimed.attempts,
                        "code": error.code if error else None,
                    },
                )
                await append(
                    connection, claimed.organization_id, [event], now=now, new_id=self._new_id
                )
        if error:
            _log.error("mail_failed", notification_id=str(claimed.id), code=error.code)
        return state
