"""Owns asking people and counting their answers. Must never let a vote pass that was not checked.

Every vote, from whichever door, goes through `cast`, under the request's row lock.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from policy.decision import ApprovalRequirement, requirement_document
from policy.quorum import Choice
from treasurer.approvals import store
from treasurer.approvals.closing import Closing
from treasurer.approvals.deadlines import Schedule
from treasurer.approvals.delegations import delegates_of, delegator_of, voted_for
from treasurer.approvals.model import (
    ApprovalRequest,
    RequestState,
    Vote,
    checked_reason,
    require_eligible,
    require_same_order,
    require_unrepresented,
    require_votable,
    require_voter,
)
from treasurer.approvals.port import PaymentGate
from treasurer.approvals.settings import step_up_for
from treasurer.db.engine import Database
from treasurer.db.jobs import JobQueue
from treasurer.identity.model import User
from treasurer.identity.step_up import require_step_up
from treasurer.identity.store import users_with_roles
from treasurer.kernel.clock import Clock, iso
from treasurer.kernel.errors import Conflict, NotFound
from treasurer.kernel.ids import ApprovalRequestId, NewId, OrganizationId, PaymentId, UserId
from treasurer.kernel.organization import Permission, Principal, PrincipalKind
from treasurer.notifications.model import NotificationKind
from treasurer.notifications.service import Outbox

_MOST_A_PAGE = 100


class ApprovalService:
    """Approval requests of all organizations. Payments hear the answers through the gate."""

    def __init__(
        self,
        *,
        database: Database,
        gate: PaymentGate,
        outbox: Outbox,
        jobs: JobQueue,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._closing = Closing(gate=gate, new_id=new_id)
        self._outbox = outbox
        self._deadlines = Schedule(jobs)
        self._clock = clock
        self._new_id = new_id

    async def open(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        *,
        payment_id: PaymentId,
        order_digest: bytes,
        requirement: ApprovalRequirement,
        requester_id: UserId,
        now: datetime,
        barred: Collection[UserId] = (),
        inherit_votes: bool = False,
        until: datetime | None = None,
    ) -> ApprovalRequest:
        """Ask the people of `requirement` about `order_digest`, in the caller's transaction.

        An older open request of the payment is superseded. `barred` are those who changed the
        payee's address within cooling-off. With `inherit_votes` the unexpired votes of earlier
        requests for the same bytes count here as well, each until its own request expires; should
        they suffice, the gate hears it at once, so the payment must be waiting already. `until` is
        for a request that goes on with the time of an earlier one.
        """
        superseded = await store.supersede(connection, organization_id, payment_id, now)
        request = ApprovalRequest(
            id=ApprovalRequestId(self._new_id()),
            organization_id=organization_id,
            payment_id=payment_id,
            order_digest=order_digest,
            requirement=requirement,
            requester_id=requester_id,
            barred=frozenset(barred),
            state=RequestState.OPEN,
            created_at=now,
            expires_at=until or now + timedelta(seconds=requirement.expires_in_s),
            closed_at=None,
            votes=(),
        )
        await store.insert_request(connection, request, inherit_votes=inherit_votes)
        for older in superseded:
            await self._closing.record(
                connection, request, "superseded", now, about=older, by=str(request.id)
            )
        voters = await self.eligible(connection, request)
        await self._closing.record(
            connection,
            request,
            "requested",
            now,
            order_digest=order_digest.hex(),
            requirement=requirement_document(requirement),
            expires_at=iso(request.expires_at),
            eligible=len(voters),
        )
        request = await self._locked(connection, organization_id, request.id)
        counted = {vote.user_id for vote in request.counted(now)}
        if counted and request.quorum(requirement, now).met:
            return await self._closing.approve(connection, request, max(counted), now)
        await self._outbox.enqueue(
            connection,
            organization_id,
            NotificationKind.APPROVAL_REQUESTED,
            request.id,
            [
                voter.email
                for voter in [*voters, *await self.delegates(connection, request, voters)]
                if voter.id not in counted
            ],
        )
        await self._deadlines.schedule(connection, request)
        return request

    async def vote(
        self,
        principal: Principal,
        request_id: ApprovalRequestId,
        choice: Choice,
        reason: str,
        order_digest: bytes,
        *,
        for_user_id: UserId | None = None,
    ) -> ApprovalRequest:
        """Vote on the order that the voter saw, named by its digest. See `cast` for the errors."""
        async with self._database.unit(principal.organization_id) as connection:
            return await self.cast(
                connection,
                principal,
                request_id,
                choice,
                reason,
                order_digest,
                for_user_id=for_user_id,
            )

    async def cast(
        self,
        connection: AsyncConnection,
        principal: Principal,
        request_id: ApprovalRequestId,
        choice: Choice,
        reason: str,
        order_digest: bytes,
        *,
        for_user_id: UserId | None = None,
    ) -> ApprovalRequest:
        """Vote in the caller's transaction; quorum or a single rejection closes the request.

        With `for_user_id` the vote is a delegate's, for that person and with their roles. The same
        choice again changes nothing and is answered alike, also after the close (I14).
        Raises NotPermitted (PERMISSION_MISSING, APPROVER_NOT_HUMAN, MAKER_IS_CHECKER,
        ROLE_NOT_ASKED, NOT_DELEGATED, STEP_UP_REQUIRED), Conflict (APPROVAL_DIGEST_MISMATCH,
        APPROVAL_EXPIRED, APPROVAL_CLOSED, ALREADY_VOTED, VOTE_REPRESENTED), InvalidInput
        (REASON_MISSING, REASON_TOO_LONG), NotFound.
        """
        require_voter(principal)
        reason = checked_reason(choice, reason)
        now = self._clock()
        request = await self._locked(connection, principal.organization_id, request_id)
        delegator = (
            await delegator_of(connection, principal, for_user_id, now) if for_user_id else None
        )
        require_eligible(request, principal, delegator)
        require_same_order(request, order_digest)
        if _repeats(request.vote_of(principal.user_id), choice, for_user_id):
            return request
        require_votable(request, now)
        vote = Vote(
            request_id=request.id,
            user_id=principal.user_id,
            user_kind=principal.kind,
            roles=(delegator or principal).roles,
            choice=choice,
            reason=reason,
            order_digest=order_digest,
            voted_at=now,
            expires_at=request.expires_at,
            delegator_id=for_user_id,
            round=request.rounds_of(principal.user_id) + 1,
        )
        if choice is Choice.APPROVE:
            require_unrepresented(request, vote, now)
            within = await step_up_for(connection, principal.organization_id, request.id)
            if within is not None:
                await require_step_up(connection, principal, within=within, now=now)
        await store.insert_vote(connection, principal.organization_id, vote)
        await self._closing.record(
            connection,
            request,
            "voted",
            now,
            actor=vote.user_id,
            choice=choice.value,
            reason=reason,
            order_digest=order_digest.hex(),
            for_user_id=str(for_user_id) if for_user_id else None,
        )
        request = replace(request, votes=(vote, *request.votes))
        if choice is Choice.REJECT:
            return await self._closing.refuse(connection, request, vote, now)
        if request.quorum(request.requirement, now).met:
            return await self._closing.approve(connection, request, vote.user_id, now)
        return request

    async def withdraw(
        self, principal: Principal, request_id: ApprovalRequestId
    ) -> ApprovalRequest:
        """Take back one's own approval; the request as it then stands, or the one that goes on.

        Before the quorum the request stays open. After it, and before the payment is reserved, the
        payment waits again under a new request that keeps the other votes and the time. Raises
        Conflict (NO_VOTE, APPROVAL_CLOSED, APPROVAL_EXPIRED, PAYMENT_UNDER_WAY), NotFound.
        """
        require_voter(principal)
        organization_id, user_id = principal.organization_id, principal.user_id
        async with self._database.unit(organization_id) as connection:
            now = self._clock()
            request = await self._locked(connection, organization_id, request_id)
            approved = await self.approved_request(
                connection, organization_id, request.payment_id, request.order_digest
            )
            votes = request.withdrawable(user_id, now)
            if request.took_back(user_id) and not votes:
                return request
            if not votes:
                raise Conflict("NO_VOTE", "no approval of yours counts here")
            if request != approved:
                require_votable(request, now)
            await store.insert_withdrawals(connection, organization_id, votes, now)
            await self._closing.record(connection, request, "vote_withdrawn", now, actor=user_id)
            request = await self._locked(connection, organization_id, request_id)
            if approved is None or request.quorum(request.requirement, now).met:
                return request
            await self._closing.reopen(connection, request, user_id, now)
            return await self.open(
                connection,
                organization_id,
                payment_id=request.payment_id,
                order_digest=request.order_digest,
                requirement=request.requirement,
                requester_id=request.requester_id,
                now=now,
                barred=request.barred,
                inherit_votes=True,
                until=request.expires_at,
            )

    async def votes_for(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        order_digest: bytes,
        now: datetime,
    ) -> list[Vote]:
        """The approvals that stand at `now` for these very bytes. See `approved_request`."""
        request = await self.approved_request(connection, organization_id, payment_id, order_digest)
        return list(request.counted(now)) if request else []

    async def approved_request(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        order_digest: bytes,
    ) -> ApprovalRequest | None:
        """The payment's newest request if it was approved and is about `order_digest`, else None.

        Reserve asks its `quorum(requirement, now).met` with the requirement of the binding
        decision: each vote counts until the request on which it was cast expires.
        """
        newest = await store.newest_request(connection, organization_id, payment_id)
        if newest is None or newest.order_digest != order_digest:
            return None
        return newest if newest.state is RequestState.APPROVED else None

    async def get(self, principal: Principal, request_id: ApprovalRequestId) -> ApprovalRequest:
        """One request with its votes. Raises NotFound."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            request = await store.get_request(connection, principal.organization_id, request_id)
        return _found(request)

    async def newest(self, principal: Principal, payment_id: PaymentId) -> ApprovalRequest | None:
        """The payment's latest request, or None where nobody had to be asked."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await store.newest_request(connection, principal.organization_id, payment_id)

    async def page_open(
        self, principal: Principal, *, before: ApprovalRequestId | None = None, most: int = 50
    ) -> list[ApprovalRequest]:
        """Open requests, newest first, at most 100 a page."""
        principal.require(Permission.TREASURY_READ)
        most = max(1, min(most, _MOST_A_PAGE))
        async with self._database.unit(principal.organization_id) as connection:
            return await store.open_page(
                connection, principal.organization_id, before=before, most=most
            )

    async def eligible(self, connection: AsyncConnection, request: ApprovalRequest) -> list[User]:
        """The people who may vote on `request`: their role is asked, and they made nothing of it."""
        users = await users_with_roles(connection, request.organization_id, request.roles)
        return [
            user
            for user in users
            if user.kind is PrincipalKind.HUMAN and not request.excludes(user.id)
        ]

    async def delegates(
        self, connection: AsyncConnection, request: ApprovalRequest, voters: list[User]
    ) -> list[User]:
        """The people who may vote for any of `voters` on `request` now."""
        found = await delegates_of(connection, request.organization_id, voters, self._clock())
        return [user for user in found if not request.excludes(user.id)]

    async def voted_for(self, principal: Principal, request: ApprovalRequest) -> list[User]:
        """The people for whom the principal may vote on `request` now."""
        async with self._database.unit(principal.organization_id) as connection:
            return await voted_for(connection, request, principal, self._clock())

    async def step_up_within(
        self, principal: Principal, request: ApprovalRequest
    ) -> timedelta | None:
        """How fresh a second proof an approval of `request` needs; None where none is asked."""
        async with self._database.unit(principal.organization_id) as connection:
            return await step_up_for(connection, principal.organization_id, request.id)

    async def organizations_due(self) -> list[OrganizationId]:
        """Organizations for which `expire_due` has something to do."""
        async with self._database.claims() as claims:
            return await store.organizations_due(claims, self._clock())

    async def expire_due(self, organization_id: OrganizationId) -> int:
        """Close the open requests whose time is over and tell the gate; return how many."""
        total = 0
        while True:
            now = self._clock()
            async with self._database.unit(organization_id) as connection:
                due = await store.lock_due(connection, organization_id, now=now, most=_MOST_A_PAGE)
                for request in due:
                    await self._closing.expire(connection, request, now)
            total += len(due)
            if len(due) < _MOST_A_PAGE:
                return total

    async def _locked(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        request_id: ApprovalRequestId,
    ) -> ApprovalRequest:
        return _found(await store.lock_request(connection, organization_id, request_id))


def _repeats(earlier: Vote | None, choice: Choice, for_user_id: UserId | None) -> bool:
    """Whether the vote is there already. Raises Conflict when another one is."""
    if earlier is None:
        return False
    if earlier.choice is choice and earlier.delegator_id == for_user_id:
        return True
    raise Conflict(
        "ALREADY_VOTED",
        f"you chose to {earlier.choice} this request; withdraw an approval to vote another way",
    )


def _found(request: ApprovalRequest | None) -> ApprovalRequest:
    if request is None:
        raise NotFound("APPROVAL_UNKNOWN", "there is no approval request of that id")
    return request
