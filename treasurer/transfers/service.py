"""Owns how people resolve a quarantined transfer: one proposes, another confirms, the chain decides.

Must never change a transfer itself, and never take the word of one person, a program or an agent.
"""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.digest import Canonical
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from treasurer.kernel.ids import NewId, OrganizationId, TransferId
from treasurer.kernel.organization import Permission, Principal, PrincipalKind
from treasurer.transfers import store
from treasurer.transfers.model import (
    QuarantinedTransfer,
    Resolution,
    ResolutionId,
    ResolutionOutcome,
)

_MOST_REASON = 2_000


class TransferService:
    def __init__(self, *, database: Database, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def quarantined(self, principal: Principal) -> list[QuarantinedTransfer]:
        """Transfers that wait for people."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await store.quarantined(connection, principal.organization_id)

    async def propose(
        self,
        principal: Principal,
        transfer_id: TransferId,
        outcome: ResolutionOutcome,
        reason: str,
    ) -> Resolution:
        """Say what should become of a quarantined transfer. Raises NotFound, Conflict, InvalidInput."""
        organization_id = _deciding(principal)
        if not 0 < len(reason.strip()) <= _MOST_REASON:
            raise InvalidInput("RESOLUTION_REASON", f"say why, in 1 to {_MOST_REASON} characters")
        resolution = Resolution(
            id=ResolutionId(self._new_id()),
            transfer_id=transfer_id,
            outcome=outcome,
            reason=reason.strip(),
            proposed_by=principal.user_id,
            proposed_at=self._clock(),
            confirmed_by=None,
            confirmed_at=None,
            claimed_at=None,
            ended_at=None,
            result="",
        )
        async with self._database.unit(organization_id) as connection:
            state = await store.is_quarantined(connection, organization_id, transfer_id)
            if state is None:
                raise _unknown()
            if not state:
                raise Conflict("TRANSFER_NOT_QUARANTINED", "this transfer waits for nobody")
            if not await store.propose(connection, organization_id, resolution):
                raise Conflict(
                    "RESOLUTION_OPEN", "a proposal is open already; confirm or reject that one"
                )
            content: dict[str, Canonical] = {"outcome": outcome.value, "reason": resolution.reason}
            await self._record(connection, principal, transfer_id, "transfer.resolution", content)
        return resolution

    async def confirm(self, principal: Principal, transfer_id: TransferId) -> Resolution:
        """Agree as the second person; the saga then asks the chain. Raises NotFound, NotPermitted."""
        organization_id = _deciding(principal)
        async with self._database.unit(organization_id) as connection:
            found = await store.open_resolution(connection, organization_id, transfer_id)
            if found is None:
                raise _unknown()
            if found.proposed_by == principal.user_id:
                raise NotPermitted(
                    "SECOND_PERSON_REQUIRED", "you proposed this; another person has to confirm it"
                )
            if found.confirmed_by is None:
                found = replace(found, confirmed_by=principal.user_id, confirmed_at=self._clock())
                await store.confirm(connection, organization_id, found)
                await self._record(
                    connection, principal, transfer_id, "transfer.resolution_confirmed", {}
                )
            return found

    async def reject(self, principal: Principal, transfer_id: TransferId) -> None:
        """Take an open proposal back, or refuse it; the transfer stays where it is.

        Raises NotFound, and Conflict once the saga acts on it: then what came of it stands in the row.
        """
        organization_id = _deciding(principal)
        async with self._database.unit(organization_id) as connection:
            found = await store.open_resolution(connection, organization_id, transfer_id)
            if found is None:
                raise _unknown()
            if found.claimed_at is not None:
                raise Conflict(
                    "RESOLUTION_ACTED_ON",
                    "two people agreed and the chain is being asked: see what comes of it",
                )
            await store.end(
                connection, organization_id, found.id, result="rejected", now=self._clock()
            )
            await self._record(
                connection, principal, transfer_id, "transfer.resolution_rejected", {}
            )

    async def _record(
        self,
        connection: AsyncConnection,
        principal: Principal,
        transfer_id: TransferId,
        kind: str,
        payload: dict[str, Canonical],
    ) -> None:
        await audit.append(
            connection,
            principal.organization_id,
            [AuditEvent("transfer", transfer_id, kind, payload, principal.user_id)],
            now=self._clock(),
            new_id=self._new_id,
        )


def _deciding(principal: Principal) -> OrganizationId:
    """Who may vote on payments decides, in person; an administrator opens doors and decides nothing."""
    if principal.kind is not PrincipalKind.HUMAN:
        raise NotPermitted("HUMAN_REQUIRED", "people resolve a quarantine, never a program")
    principal.require(Permission.APPROVALS_VOTE)
    return principal.organization_id


def _unknown() -> NotFound:
    return NotFound("TRANSFER_UNKNOWN", "no such transfer waits for a resolution here")
