"""Owns who may vote for whom, and until when. Must never lend what was lent: no chain exists.

A delegate votes with the delegator's own roles, as they are at that moment, and with nothing that the
delegator was lent. So a chain has no second link, and a maker gains nothing by any path of them (I12).
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.approvals import delegation_store
from treasurer.approvals.delegation_store import Delegation
from treasurer.approvals.model import ApprovalRequest, require_eligible, require_voter
from treasurer.audit.model import AuditEvent
from treasurer.audit.store import append
from treasurer.db.engine import Database
from treasurer.identity.model import User, UserState
from treasurer.identity.store import get_user
from treasurer.kernel.clock import Clock, iso
from treasurer.kernel.errors import InvalidInput, NotFound, NotPermitted
from treasurer.kernel.ids import NewId, OrganizationId, UserId
from treasurer.kernel.organization import Permission, Principal, PrincipalKind

LONGEST = timedelta(days=90)
"""Who is away for longer gives up the role instead."""


class Delegations:
    """Gives, ends and lists delegations."""

    def __init__(self, *, database: Database, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def delegate(
        self,
        principal: Principal,
        delegate_id: UserId,
        *,
        ends_at: datetime,
        starts_at: datetime | None = None,
    ) -> Delegation:
        """Let another approver vote for the principal for a time, from now unless `starts_at` says.

        Raises NotPermitted (APPROVER_NOT_HUMAN, PERMISSION_MISSING), InvalidInput (DELEGATION_PERIOD,
        DELEGATE_NOT_APPROVER, DELEGATE_SELF).
        """
        require_voter(principal)
        now = self._clock()
        starts_at = max(starts_at or now, now)
        if not starts_at < ends_at <= now + LONGEST:
            raise InvalidInput(
                "DELEGATION_PERIOD",
                f"a delegation ends after it begins and within {LONGEST.days} days from now",
            )
        if delegate_id == principal.user_id:
            raise InvalidInput("DELEGATE_SELF", "name another person; you vote for yourself anyway")
        delegation = Delegation(
            id=self._new_id(),
            delegator_id=principal.user_id,
            delegate_id=delegate_id,
            starts_at=starts_at,
            ends_at=ends_at,
            created_at=now,
        )
        organization_id = principal.organization_id
        async with self._database.unit(organization_id) as connection:
            if not _may_vote(await get_user(connection, organization_id, delegate_id)):
                raise InvalidInput(
                    "DELEGATE_NOT_APPROVER",
                    "a delegate is a person of this organization who may vote on approvals",
                )
            await delegation_store.insert(connection, organization_id, delegation)
            await self._record(connection, principal, "delegated", delegation, now)
        return delegation

    async def revoke(self, principal: Principal, delegation_id: UUID) -> Delegation:
        """End one's own delegation at once. Votes cast by it stand. Raises NotFound."""
        now, organization_id = self._clock(), principal.organization_id
        async with self._database.unit(organization_id) as connection:
            revoked = await delegation_store.revoke(
                connection, organization_id, delegation_id, principal.user_id, now
            )
            if revoked is None:
                raise NotFound("DELEGATION_UNKNOWN", "you gave no such delegation, or it is over")
            await self._record(connection, principal, "delegation_revoked", revoked, now)
        return revoked

    async def of(self, principal: Principal) -> list[Delegation]:
        """What the principal gave and was given and is not over, newest first."""
        async with self._database.unit(principal.organization_id) as connection:
            return await delegation_store.of_user(
                connection, principal.organization_id, principal.user_id, self._clock()
            )

    async def _record(
        self,
        connection: AsyncConnection,
        principal: Principal,
        kind: str,
        delegation: Delegation,
        now: datetime,
    ) -> None:
        event = AuditEvent(
            aggregate="user",
            aggregate_id=delegation.delegator_id,
            kind=f"approval.{kind}",
            payload={
                "delegation_id": str(delegation.id),
                "delegate_id": str(delegation.delegate_id),
                "starts_at": iso(delegation.starts_at),
                "ends_at": iso(delegation.ends_at),
            },
            actor_id=principal.user_id,
        )
        await append(connection, principal.organization_id, [event], now=now, new_id=self._new_id)


async def delegator_of(
    connection: AsyncConnection, principal: Principal, delegator_id: UserId, now: datetime
) -> Principal:
    """Whom the principal votes for, with that person's own roles. Raises NotPermitted.

    The delegator must be able to vote at this very moment: somebody who left lends nothing.
    """
    given = await delegation_store.live(
        connection, principal.organization_id, now, delegate_id=principal.user_id
    )
    if delegator_id in {each.delegator_id for each in given}:
        user = await get_user(connection, principal.organization_id, delegator_id)
        if user is not None and _may_vote(user):
            return user.principal
    raise NotPermitted(
        "NOT_DELEGATED", "that person has not delegated their vote to you for this time"
    )


async def voted_for(
    connection: AsyncConnection, request: ApprovalRequest, principal: Principal, now: datetime
) -> list[User]:
    """The people for whom the principal may vote on `request` at `now`."""
    given = await delegation_store.live(
        connection, principal.organization_id, now, delegate_id=principal.user_id
    )
    found: dict[UserId, User] = {}
    for delegation in given:
        user = await get_user(connection, principal.organization_id, delegation.delegator_id)
        if user is None or not _may_vote(user):
            continue
        try:
            require_eligible(request, principal, user.principal)
        except NotPermitted:
            continue
        found[user.id] = user
    return list(found.values())


async def delegates_of(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    delegators: list[User],
    now: datetime,
) -> list[User]:
    """The people who may vote for any of `delegators` at `now`."""
    given = await delegation_store.live(
        connection, organization_id, now, delegators=[user.id for user in delegators]
    )
    users = [
        await get_user(connection, organization_id, id_)
        for id_ in dict.fromkeys(each.delegate_id for each in given)
    ]
    return [user for user in users if user is not None and _may_vote(user)]


def _may_vote(user: User | None) -> bool:
    return (
        user is not None
        and user.state is UserState.ACTIVE
        and user.kind is PrincipalKind.HUMAN
        and Permission.APPROVALS_VOTE in user.principal.permissions
    )
