"""Owns drafts, the first activation and the active set. Must never activate without being asked.

How a draft replaces the active set is the work of `treasurer.policies.life`.
"""

from collections import OrderedDict
from datetime import datetime
from zoneinfo import available_timezones

from sqlalchemy.ext.asyncio import AsyncConnection

from policy.policy_set import PolicySet, load_policy_set, parse_policy_set
from policy.quorum import Choice, Vote, quorum_met
from policy.requirement import combined, way_in_words
from treasurer.audit.model import AuditEvent
from treasurer.audit.store import append
from treasurer.db.engine import Database
from treasurer.identity.store import users_with_roles
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import Conflict, InvalidInput, InvariantViolated, NotFound
from treasurer.kernel.ids import NewId, OrganizationId, PolicySetId
from treasurer.kernel.money import Asset
from treasurer.kernel.organization import ROLE_PERMISSIONS, Permission, Principal
from treasurer.policies import store
from treasurer.policies.model import PolicySetState, StoredPolicySet

_COMPILED_AT_MOST = 256
_MOST_A_PAGE = 100
_VOTERS = [r for r, granted in ROLE_PERMISSIONS.items() if Permission.APPROVALS_VOTE in granted]


class PolicyService:
    """Policy sets of all organizations; keeps the compiled active ones by digest."""

    def __init__(self, *, database: Database, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._compiled: OrderedDict[bytes, PolicySet] = OrderedDict()

    async def active(
        self, connection: AsyncConnection, organization_id: OrganizationId
    ) -> PolicySet:
        """The compiled active set, as of the caller's transaction. Raises Conflict without one."""
        return (await self.standing(connection, organization_id))[0]

    async def standing(
        self, connection: AsyncConnection, organization_id: OrganizationId
    ) -> tuple[PolicySet, datetime]:
        """As `active`, and since when the set is."""
        found = await store.active_digest(connection, organization_id)
        if found is None:
            raise Conflict(
                "POLICY_MISSING", "no policy set is active; an administrator activates the first"
            )
        digest, since = found
        if digest in self._compiled:
            self._compiled.move_to_end(digest)
            return self._compiled[digest], since
        stored = await store.active(connection, organization_id)
        if stored is None:
            raise InvariantViolated("POLICY_MISSING", "the active policy set vanished")
        policy_set = parse_policy_set(stored.document)
        if policy_set.digest != stored.digest:
            raise InvariantViolated(
                "POLICY_DIGEST", f"policy version {stored.version} is not what its digest names"
            )
        self._compiled[policy_set.digest] = policy_set
        while len(self._compiled) > _COMPILED_AT_MOST:
            self._compiled.popitem(last=False)
        return policy_set, since

    async def activate_first(self, principal: Principal, yaml_text: str) -> StoredPolicySet:
        """Activate an organization's first set, by an administrator, without backtest.

        The set that is active already is answered as it is. Raises InvalidInput when the text does
        not compile or counts in another currency, Conflict (POLICY_SIGN_OFF_REQUIRED) when
        another set is active, (POLICY_UNDERSTAFFED) when nobody could ever give what it asks.
        """
        principal.require(Permission.ADMIN_ALL)
        policy_set = _loaded(yaml_text)
        organization_id = principal.organization_id
        async with self._database.unit(organization_id) as connection:
            await self._lock(connection, organization_id, policy_set.reporting)
            present = await store.active(connection, organization_id)
            if present and present.digest == policy_set.digest:
                return present
            if present:
                raise Conflict(
                    "POLICY_SIGN_OFF_REQUIRED",
                    "a policy set is active; save yours as a draft, run a backtest of it, and let"
                    " two people sign it off",
                    active_version=present.version,
                )
            await require_staff(connection, organization_id, policy_set)
            return await self.keep(connection, principal, policy_set, PolicySetState.ACTIVE)

    async def draft(self, principal: Principal, yaml_text: str) -> StoredPolicySet:
        """Compile and keep a set without effect. Raises InvalidInput with the place of each fault."""
        principal.require(Permission.POLICY_WRITE)
        policy_set = _loaded(yaml_text)
        async with self._database.unit(principal.organization_id) as connection:
            await self._lock(connection, principal.organization_id, policy_set.reporting)
            return await self.keep(connection, principal, policy_set, PolicySetState.DRAFT)

    async def get(self, principal: Principal, policy_set_id: PolicySetId) -> StoredPolicySet:
        """One version. Raises NotFound."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            stored = await store.get(connection, principal.organization_id, policy_set_id)
        if stored is None:
            raise NotFound("POLICY_UNKNOWN", "there is no policy set of that id")
        return stored

    async def version(self, principal: Principal, version: int) -> StoredPolicySet:
        """The set of that number. Raises NotFound."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            stored = await store.by_version(connection, principal.organization_id, version)
        if stored is None:
            raise NotFound("POLICY_UNKNOWN", "there is no policy set of that version")
        return stored

    async def history(
        self, principal: Principal, *, before: int | None = None, most: int = 50
    ) -> list[StoredPolicySet]:
        """Versions, newest first, keyset by version, at most 100 a page."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await store.history(
                connection,
                principal.organization_id,
                before=before,
                most=max(1, min(most, _MOST_A_PAGE)),
            )

    async def _lock(
        self, connection: AsyncConnection, organization_id: OrganizationId, reporting: Asset
    ) -> None:
        own = await store.lock(connection, organization_id)
        if own is None:
            raise NotFound("ORGANIZATION_UNKNOWN", "there is no such organization")
        if own != reporting:
            raise InvalidInput(
                "POLICY_REPORTING_CURRENCY",
                f"the organization reports in {own.symbol} with {own.decimals} decimals;"
                " write the policy's limits in that",
            )

    async def keep(
        self,
        connection: AsyncConnection,
        principal: Principal,
        policy_set: PolicySet,
        state: PolicySetState,
    ) -> StoredPolicySet:
        """Store a new version as a draft or as the active set; the caller holds the lock."""
        now = self._clock()
        activates = state is PolicySetState.ACTIVE
        stored = StoredPolicySet(
            id=PolicySetId(self._new_id()),
            organization_id=principal.organization_id,
            version=await store.next_version(connection, principal.organization_id),
            digest=policy_set.digest,
            document=policy_set.canonical,
            state=state,
            created_by=principal.user_id,
            created_at=now,
            activated_by=principal.user_id if activates else None,
            activated_at=now if activates else None,
        )
        await store.insert(connection, stored)
        event = AuditEvent(
            aggregate="policy_set",
            aggregate_id=stored.id,
            kind="policy.activated" if activates else "policy.drafted",
            payload={"version": stored.version, "digest": stored.digest.hex()},
            actor_id=principal.user_id,
        )
        await append(connection, principal.organization_id, [event], now=now, new_id=self._new_id)
        return stored


def _loaded(yaml_text: str) -> PolicySet:
    """Compile a file. Raises InvalidInput also for a time zone that this machine does not know."""
    policy_set = load_policy_set(yaml_text)
    if policy_set.zone is not None and policy_set.zone not in available_timezones():
        raise InvalidInput(
            "POLICY_ZONE", f"{policy_set.zone} is no IANA time zone; write one as Europe/Berlin"
        )
    return policy_set


async def require_staff(
    connection: AsyncConnection, organization_id: OrganizationId, policy_set: PolicySet
) -> None:
    """Raise Conflict when even all who may vote together could not approve what the set asks."""
    asked = [requirement for rule in policy_set.rules for requirement in rule.asks()]
    if not asked:
        return
    users = await users_with_roles(connection, organization_id, _VOTERS)
    votes = [
        Vote(
            user_id=str(user.id),
            kind=user.kind.value,
            roles=frozenset(role.value for role in user.roles),
            choice=Choice.APPROVE,
        )
        for user in users
    ]
    quorum = quorum_met(combined(asked), votes, "", frozenset())
    if not quorum.met:
        missing = way_in_words(quorum.missing)
        raise Conflict(
            "POLICY_UNDERSTAFFED",
            f"the policy asks people whom the organization does not have: {missing} more;"
            " add them first, or write tiers that ask fewer",
        )
