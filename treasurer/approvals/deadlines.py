"""Owns what happens while a request waits: a reminder, then an escalation. Must never decide anything.

Both jobs are put on the queue in the transaction that opens the request. Run late or twice they do no
harm: a closed request asks nobody, and nobody gets the same mail twice.
"""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.approvals import settings, store
from treasurer.approvals.delegations import delegates_of
from treasurer.approvals.model import ApprovalRequest, RequestState
from treasurer.audit.model import AuditEvent
from treasurer.audit.store import append
from treasurer.db.engine import Database
from treasurer.db.jobs import JobQueue
from treasurer.identity.model import User
from treasurer.identity.store import users_with_roles
from treasurer.kernel.clock import Clock
from treasurer.kernel.ids import ApprovalRequestId, NewId, OrganizationId, UserId
from treasurer.kernel.organization import PrincipalKind
from treasurer.notifications.model import NotificationKind
from treasurer.notifications.service import Outbox

REMIND_JOB = "remind_of_approval"
ESCALATE_JOB = "escalate_approval"
"""The jobs' names; their arguments are `organization_id` and `request_id`, as text."""


class Schedule:
    """Puts a request's jobs on the queue, in the transaction that opens it."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs

    async def schedule(self, connection: AsyncConnection, request: ApprovalRequest) -> None:
        """A reminder after half the time, an escalation after three quarters."""
        time = request.expires_at - request.created_at
        for name, due in (
            (REMIND_JOB, request.created_at + time / 2),
            (ESCALATE_JOB, request.created_at + time * 3 / 4),
        ):
            await self._jobs.defer(
                connection,
                name,
                schedule_at=due,
                organization_id=str(request.organization_id),
                request_id=str(request.id),
            )


class Deadlines:
    """What the jobs do."""

    def __init__(self, *, database: Database, outbox: Outbox, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._new_id = new_id

    async def remind(self, organization_id: OrganizationId, request_id: ApprovalRequestId) -> int:
        """Mail those who may vote and have not; return how many mails were queued."""
        async with self._database.unit(organization_id) as connection:
            now = self._clock()
            request = await self._open(connection, organization_id, request_id, now)
            if request is None:
                return 0
            behind = {user_id for vote in request.counted(now) for user_id in vote.humans}
            users = await users_with_roles(connection, organization_id, request.roles)
            asked = _people(users, request, without=behind)
            asked += _people(
                await delegates_of(connection, organization_id, asked, now),
                request,
                without=behind,
            )
            return await self._mail(
                connection, request, NotificationKind.APPROVAL_REMINDER, "reminded", asked, now
            )

    async def escalate(self, organization_id: OrganizationId, request_id: ApprovalRequestId) -> int:
        """Tell the escalation role that a payment will lapse; return how many mails were queued.

        It gives no vote: whose role is not asked can only see to it that somebody decides.
        """
        async with self._database.unit(organization_id) as connection:
            now = self._clock()
            request = await self._open(connection, organization_id, request_id, now)
            if request is None:
                return 0
            chosen = await settings.read(connection, organization_id)
            users = await users_with_roles(connection, organization_id, [chosen.escalation_role])
            told = [user for user in users if user.kind is PrincipalKind.HUMAN]
            return await self._mail(
                connection, request, NotificationKind.APPROVAL_ESCALATED, "escalated", told, now
            )

    async def _open(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        request_id: ApprovalRequestId,
        now: datetime,
    ) -> ApprovalRequest | None:
        """The request under its lock, so that two runs of a job come one after the other."""
        request = await store.lock_request(connection, organization_id, request_id)
        if request is None or request.state is not RequestState.OPEN or request.expires_at <= now:
            return None
        return request

    async def _mail(
        self,
        connection: AsyncConnection,
        request: ApprovalRequest,
        kind: NotificationKind,
        event: str,
        people: list[User],
        now: datetime,
    ) -> int:
        queued = await self._outbox.enqueue(
            connection,
            request.organization_id,
            kind,
            request.id,
            [person.email for person in people],
        )
        if queued:
            await append(
                connection,
                request.organization_id,
                [
                    AuditEvent(
                        aggregate="approval_request",
                        aggregate_id=request.id,
                        kind=f"approval.{event}",
                        payload={"payment_id": str(request.payment_id), "mails": queued},
                    )
                ],
                now=now,
                new_id=self._new_id,
            )
        return queued


def _people(users: list[User], request: ApprovalRequest, *, without: set[UserId]) -> list[User]:
    return [
        user
        for user in users
        if user.kind is PrincipalKind.HUMAN
        and not request.excludes(user.id)
        and user.id not in without
    ]
