"""Owns how a draft becomes the active set: simulated, signed off by two people, activated.

Must never let one person loosen a policy alone. Nothing is edited in place: only the state moves.
"""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from policy.approval_limit import free_up_to, with_limit
from policy.policy_set import parse_policy_set
from treasurer.audit.model import AuditEvent
from treasurer.audit.store import append
from treasurer.db.engine import Database
from treasurer.identity.store import users_with_roles
from treasurer.kernel.clock import Clock
from treasurer.kernel.digest import Canonical, digest
from treasurer.kernel.errors import (
    Conflict,
    InvalidInput,
    InvariantViolated,
    NotFound,
    NotPermitted,
)
from treasurer.kernel.ids import NewId, OrganizationId, PolicySetId
from treasurer.kernel.organization import (
    ROLE_PERMISSIONS,
    Permission,
    Principal,
    PrincipalKind,
    Role,
)
from treasurer.policies import life_store, store
from treasurer.policies.model import SIGN_OFFS, PolicySetState, SignOff, StoredPolicySet
from treasurer.policies.service import PolicyService, require_staff

BACKTEST_LASTS = timedelta(days=1)
_SIGNERS = [r for r, granted in ROLE_PERMISSIONS.items() if Permission.POLICY_WRITE in granted]


class PolicyLife:
    """Moves stored sets on. Each move locks the organization's sets, so moves come one by one."""

    def __init__(
        self, *, database: Database, policies: PolicyService, clock: Clock, new_id: NewId
    ) -> None:
        self._database = database
        self._policies = policies
        self._clock = clock
        self._new_id = new_id

    async def simulated(
        self,
        principal: Principal,
        policy_set_digest: bytes,
        report: bytes,
        policy_set_id: PolicySetId | None = None,
    ) -> StoredPolicySet | None:
        """Keep a backtest's report for the draft of that digest; None if there is no draft.

        The newest one, unless `policy_set_id` names which: a draft that was sent twice is two.
        """
        principal.require(Permission.POLICY_WRITE)
        async with self._database.unit(principal.organization_id) as connection:
            await store.lock(connection, principal.organization_id)
            stored = await life_store.newest_open(
                connection, principal.organization_id, policy_set_digest, policy_set_id
            )
            if stored is None:
                return None
            await life_store.insert_backtest(
                connection, stored, digest(report), report, principal.user_id, self._clock(),
                self._new_id(),
            )  # fmt: skip
            if stored.state is PolicySetState.DRAFT:
                stored = await self._move(connection, principal, stored, PolicySetState.SIMULATED)
            await self._record(
                connection, principal, stored, "policy.simulated", backtest=digest(report).hex()
            )
        return stored

    async def sign_off(
        self, principal: Principal, policy_set_id: PolicySetId, backtest_digest: bytes
    ) -> StoredPolicySet:
        """Sign a simulated set off, having seen the report of that digest. Twice is once.

        Raises NotPermitted for programs, Conflict (POLICY_NOT_SIMULATED, BACKTEST_UNKNOWN,
        BACKTEST_OLD).
        """
        _require_person(principal)
        async with self._database.unit(principal.organization_id) as connection:
            stored = await self._locked(connection, principal.organization_id, policy_set_id)
            if stored.state not in (PolicySetState.SIMULATED, PolicySetState.SIGNED_OFF):
                raise Conflict(
                    "POLICY_NOT_SIMULATED",
                    f"the set is {stored.state}; run a backtest of it before signing it off",
                )
            await self._require_fresh(connection, stored, backtest_digest)
            new = await life_store.insert_sign_off(
                connection, stored, principal.user_id, backtest_digest, self._clock()
            )
            if new:
                await self._record(
                    connection, principal, stored, "policy.signed_off",
                    backtest=backtest_digest.hex(),
                )  # fmt: skip
            signed = await life_store.sign_offs(connection, principal.organization_id, stored.id)
            if len(signed) >= SIGN_OFFS and stored.state is PolicySetState.SIMULATED:
                stored = await self._move(connection, principal, stored, PolicySetState.SIGNED_OFF)
        return stored

    async def sign_offs(self, principal: Principal, policy_set_id: PolicySetId) -> list[SignOff]:
        """Who signed a set off, in their order."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await life_store.sign_offs(connection, principal.organization_id, policy_set_id)

    async def activate(
        self, principal: Principal, policy_set_id: PolicySetId, backtest_digest: bytes
    ) -> StoredPolicySet:
        """Make a signed-off set the active one; the set before it is superseded.

        Raises Conflict (POLICY_NOT_SIGNED_OFF, BACKTEST_UNKNOWN, BACKTEST_OLD, POLICY_UNDERSTAFFED).
        """
        _require_person(principal)
        async with self._database.unit(principal.organization_id) as connection:
            stored = await self._locked(connection, principal.organization_id, policy_set_id)
            if stored.state is not PolicySetState.SIGNED_OFF:
                signed = await life_store.sign_offs(connection, stored.organization_id, stored.id)
                await self._require_two_signers(connection, principal.organization_id)
                raise Conflict(
                    "POLICY_NOT_SIGNED_OFF",
                    f"the set is {stored.state}, signed off by {len(signed)} of {SIGN_OFFS} people",
                )
            await self._require_fresh(connection, stored, backtest_digest)
            policy_set = parse_policy_set(stored.document)
            await require_staff(connection, principal.organization_id, policy_set)
            await self._supersede(connection, principal)
            return await self._move(connection, principal, stored, PolicySetState.ACTIVE)

    async def change_limit(self, principal: Principal, limit_minor: int) -> StoredPolicySet:
        """Lower the approval limit at once, or keep a draft with the raised one.

        Only the CFO, a person. Raises Conflict POLICY_ONE_PERSON where nobody could sign a raise off.
        """
        _require_person(principal)
        if Role.CFO not in principal.roles:
            raise NotPermitted("CFO_REQUIRED", "the approval limit is the CFO's to change")
        if limit_minor < 0:
            raise InvalidInput("LIMIT_NEGATIVE", "a limit is zero or more")
        organization_id = principal.organization_id
        async with self._database.unit(organization_id) as connection:
            await store.lock(connection, organization_id)
            active = await store.active(connection, organization_id)
            if active is None:
                raise Conflict("POLICY_MISSING", "no policy set is active; activate one first")
            before = parse_policy_set(active.document)
            limit = free_up_to(before)
            if limit == limit_minor:
                return active
            changed = with_limit(before, limit_minor)
            if limit is None or limit_minor < limit:
                await require_staff(connection, organization_id, changed)
                await self._supersede(connection, principal)
                stored = await self._policies.keep(
                    connection, principal, changed, PolicySetState.ACTIVE
                )
            else:
                await self._require_two_signers(connection, organization_id)
                stored = await self._policies.keep(
                    connection, principal, changed, PolicySetState.DRAFT
                )
            return stored

    async def cannot_have(self, principal: Principal) -> list[str]:
        """What an organization of so few people cannot have, in sentences; empty if there is nothing."""
        async with self._database.unit(principal.organization_id) as connection:
            signers = await _people(connection, principal.organization_id, _SIGNERS)
        if signers >= SIGN_OFFS:
            return []
        return [
            f"{signers} of your people may sign off a policy and {SIGN_OFFS} are needed: limits can"
            " be lowered, but not raised, and another policy cannot be activated.",
            "Whoever proposes a payment cannot approve it: tiers that ask people need people besides.",
        ]

    async def _locked(
        self, connection: AsyncConnection, organization_id: OrganizationId, id_: PolicySetId
    ) -> StoredPolicySet:
        await store.lock(connection, organization_id)
        stored = await store.get(connection, organization_id, id_)
        if stored is None:
            raise NotFound("POLICY_UNKNOWN", "there is no policy set of that id")
        return stored

    async def _require_fresh(
        self, connection: AsyncConnection, stored: StoredPolicySet, backtest_digest: bytes
    ) -> None:
        made_at = await life_store.backtest_made_at(connection, stored, backtest_digest)
        if made_at is None:
            raise Conflict("BACKTEST_UNKNOWN", "this set has no backtest of that digest")
        if self._clock() - made_at > BACKTEST_LASTS:
            raise Conflict("BACKTEST_OLD", "the backtest is older than a day; run another one")

    async def _require_two_signers(
        self, connection: AsyncConnection, organization_id: OrganizationId
    ) -> None:
        signers = await _people(connection, organization_id, _SIGNERS)
        if signers < SIGN_OFFS:
            raise Conflict(
                "POLICY_ONE_PERSON",
                f"{SIGN_OFFS} people must sign a looser policy off and {signers} of yours may;"
                " add an administrator or a CFO, or lower limits, which takes one person",
            )

    async def _supersede(self, connection: AsyncConnection, principal: Principal) -> None:
        active = await store.active(connection, principal.organization_id)
        if active is not None:
            await self._move(connection, principal, active, PolicySetState.SUPERSEDED)

    async def _move(
        self,
        connection: AsyncConnection,
        principal: Principal,
        stored: StoredPolicySet,
        after: PolicySetState,
    ) -> StoredPolicySet:
        moved = await life_store.move(
            connection, stored, after, by=principal.user_id, now=self._clock()
        )
        if moved is None:
            raise InvariantViolated("POLICY_STATE", f"a set never goes {stored.state} → {after}")
        if after in (PolicySetState.ACTIVE, PolicySetState.SUPERSEDED):
            kind = "policy.activated" if after is PolicySetState.ACTIVE else "policy.superseded"
            await self._record(connection, principal, moved, kind)
        return moved

    async def _record(
        self,
        connection: AsyncConnection,
        principal: Principal,
        stored: StoredPolicySet,
        kind: str,
        **more: str,
    ) -> None:
        payload: dict[str, Canonical] = {
            "version": stored.version,
            "digest": stored.digest.hex(),
            **more,
        }
        event = AuditEvent("policy_set", stored.id, kind, payload, principal.user_id)
        await append(
            connection, principal.organization_id, [event], now=self._clock(), new_id=self._new_id
        )


def _require_person(principal: Principal) -> None:
    principal.require(Permission.POLICY_WRITE)
    if principal.kind is not PrincipalKind.HUMAN:
        raise NotPermitted("HUMAN_REQUIRED", "a person changes a policy, never a program")


async def _people(
    connection: AsyncConnection, organization_id: OrganizationId, roles: list[Role]
) -> int:
    users = await users_with_roles(connection, organization_id, roles)
    return sum(user.kind is PrincipalKind.HUMAN for user in users)
