"""Owns the read use cases that span nouns, for API and dashboard. Must never write.

Each read is one unit of work over one organization.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.ids import PaymentId
from treasurer.kernel.organization import Permission, Principal
from treasurer.reports.briefing import (
    Briefing,
    WaitingApproval,
    read_briefing,
    read_waiting,
)
from treasurer.reports.letterhead import Letterhead, read_letterhead
from treasurer.reports.people import Person, names
from treasurer.reports.provenance import read_provenance
from treasurer.reports.story import Story, read_story
from treasurer.reports.trail import ChainState, TrailEvent, chain_state, trail_page

_MOST_A_PAGE = 200


class ReportService:
    """Reports of all organizations; keeps nothing between calls."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def letterhead(self, principal: Principal) -> Letterhead:
        """The head of every page; every user may know it, whatever the roles."""
        async with self._database.unit(principal.organization_id) as connection:
            return await read_letterhead(
                connection, principal.organization_id, principal.user_id, self._clock()
            )

    async def briefing(self, principal: Principal) -> Briefing:
        """What to read first."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await read_briefing(connection, principal.organization_id, now=self._clock())

    async def waiting(self, principal: Principal) -> tuple[WaitingApproval, ...]:
        """Open approval requests, the most urgent first, at most MOST_WAITING."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await read_waiting(connection, principal.organization_id, self._clock())

    async def story(self, principal: Principal, payment_id: PaymentId) -> Story:
        """What happened to a payment; empty for one that is not the principal's to see."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await read_story(connection, principal.organization_id, payment_id)

    async def people(
        self, principal: Principal, ids: Iterable[UUID | None]
    ) -> Mapping[UUID, Person]:
        """The names of colleagues, by id."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await names(connection, principal.organization_id, ids)

    async def trail(
        self,
        principal: Principal,
        *,
        before: int | None = None,
        aggregate_id: UUID | None = None,
        most: int = 50,
    ) -> tuple[TrailEvent, ...]:
        """The audit log, newest first; the next page is `before` the last cursor of this one."""
        principal.require(Permission.AUDIT_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await trail_page(
                connection,
                principal.organization_id,
                before=before,
                aggregate_id=aggregate_id,
                most=max(1, min(most, _MOST_A_PAGE)),
            )

    async def provenance(
        self, principal: Principal, chain_id: int, transaction_hash: bytes
    ) -> dict[str, Any] | None:
        """From a transaction back to the bytes; None for one that the organization did not sign."""
        principal.require(Permission.AUDIT_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await read_provenance(
                connection, principal.organization_id, chain_id, transaction_hash
            )

    async def chain(self, principal: Principal) -> ChainState:
        """Where the audit chain stands."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await chain_state(connection, principal.organization_id)
