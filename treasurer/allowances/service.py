"""Owns how people allow our contract to move tokens: one proposes an exact amount, another confirms.

Must never send anything, and never take the word of one person, a program or an agent.
"""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.allowances import store
from treasurer.allowances.model import Allowance, AllowanceState
from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.kernel.allowance_order import AllowanceOrder
from treasurer.kernel.clock import Clock
from treasurer.kernel.digest import Canonical
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from treasurer.kernel.ids import AllowanceId, NewId, OrganizationId
from treasurer.kernel.organization import Permission, Principal, PrincipalKind
from treasurer.payments import wallets
from treasurer.payments.rail import Rail

LIFETIME = timedelta(days=2)
"""How long a proposal may wait for its second person and its slot."""


class AllowanceService:
    def __init__(self, *, database: Database, rail: Rail, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._rail = rail
        self._clock = clock
        self._new_id = new_id

    async def page(self, principal: Principal) -> list[Allowance]:
        """The newest allowances of the organization."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await store.page(connection, principal.organization_id)

    async def propose(
        self, principal: Principal, *, wallet: str, symbol: str, amount_minor: int
    ) -> Allowance:
        """Propose what the disperse contract may move of `wallet`, in place of what it may now.

        Zero takes all of it back. Raises InvalidInput, NotFound and NotPermitted.
        """
        organization_id = _deciding(principal)
        if self._rail.disperse is None:
            raise InvalidInput(
                "DISPERSE_NOT_PINNED", "network.yaml pins no disperse contract; nothing needs leave"
            )
        token, now = self._rail.token_of(symbol), self._clock()
        async with self._database.unit(organization_id) as connection:
            own = await wallets.active(connection, organization_id, self._rail.chain_id)
            if wallet.lower() not in {each.address for each in own}:
                raise NotFound("WALLET_UNKNOWN", f"{wallet} is no active wallet here")
            allowance_id = AllowanceId(self._new_id())
            allowance = Allowance(
                id=allowance_id,
                order=AllowanceOrder(
                    allowance_id=allowance_id,
                    organization_id=organization_id,
                    chain_id=self._rail.chain_id,
                    wallet=wallet.lower(),
                    token=token.address,
                    token_decimals=token.asset.decimals,
                    spender=self._rail.disperse,
                    amount_minor=amount_minor,
                    not_after=(now + LIFETIME).replace(microsecond=0),
                ),
                state=AllowanceState.PROPOSED,
                proposed_by=principal.user_id,
                proposed_at=now,
                confirmed_by=None,
                result="",
            )
            await store.propose(connection, organization_id, allowance)
            await self._record(
                connection,
                principal,
                allowance.id,
                "allowance.proposed",
                {
                    "wallet": allowance.order.wallet,
                    "token": allowance.order.token,
                    "spender": allowance.order.spender,
                    "amount_minor": str(amount_minor),
                    "order_digest": allowance.order.digest.hex(),
                },
            )
        return allowance

    async def confirm(self, principal: Principal, allowance_id: AllowanceId) -> None:
        """Agree as the second person; the saga then has it signed. Raises NotFound, NotPermitted."""
        organization_id = _deciding(principal)
        async with self._database.unit(organization_id) as connection:
            found = await _proposed(connection, organization_id, allowance_id)
            if found.proposed_by == principal.user_id:
                raise NotPermitted(
                    "SECOND_PERSON_REQUIRED", "you proposed this; another person has to confirm it"
                )
            await store.confirm(connection, organization_id, allowance_id, principal.user_id)
            await self._record(connection, principal, allowance_id, "allowance.confirmed", {})

    async def reject(self, principal: Principal, allowance_id: AllowanceId) -> None:
        """Take an open proposal back, or refuse it."""
        organization_id = _deciding(principal)
        async with self._database.unit(organization_id) as connection:
            await _proposed(connection, organization_id, allowance_id)
            await store.move(
                connection,
                organization_id,
                [allowance_id],
                AllowanceState.PROPOSED,
                AllowanceState.REJECTED,
            )
            await self._record(connection, principal, allowance_id, "allowance.rejected", {})

    async def _record(
        self,
        connection: AsyncConnection,
        principal: Principal,
        allowance_id: AllowanceId,
        kind: str,
        payload: dict[str, Canonical],
    ) -> None:
        await audit.append(
            connection,
            principal.organization_id,
            [AuditEvent("allowance", allowance_id, kind, payload, principal.user_id)],
            now=self._clock(),
            new_id=self._new_id,
        )


async def _proposed(
    connection: AsyncConnection, organization_id: OrganizationId, allowance_id: AllowanceId
) -> Allowance:
    found = await store.lock(connection, organization_id, allowance_id)
    if found is None:
        raise NotFound("ALLOWANCE_UNKNOWN", "no such allowance was proposed here")
    if found.state is not AllowanceState.PROPOSED:
        raise Conflict("ALLOWANCE_NOT_OPEN", f"this allowance is {found.state} already")
    return found


def _deciding(principal: Principal) -> OrganizationId:
    """Who may change what is paid by rule may also change what a contract may move, in person."""
    if principal.kind is not PrincipalKind.HUMAN:
        raise NotPermitted("HUMAN_REQUIRED", "people grant an allowance, never a program")
    principal.require(Permission.POLICY_WRITE)
    return principal.organization_id
