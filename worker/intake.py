"""Owns starting an intake run: whose agent it is, with which doors and reader. Must never read itself.

Graph and model libraries are loaded with the first invoice: they take a second, which a worker that
has transfers to execute does not spend before it starts.
"""

import asyncio
from typing import TYPE_CHECKING

from treasurer.bootstrap import Core
from treasurer.documents.extraction import DocumentReaders
from treasurer.identity.store import users_with_roles
from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import InvoiceId, OrganizationId
from treasurer.kernel.organization import Principal, PrincipalKind, Role

if TYPE_CHECKING:
    from agents.intake.state import IntakeResult
    from worker.agency import Agency


class IntakeRunner:
    """Runs the intake graph for invoices of any organization."""

    def __init__(self, core: Core, documents: DocumentReaders) -> None:
        self._core = core
        self._documents = documents
        self._agency: Agency | None = None
        self._loading = asyncio.Lock()

    async def read_invoice(
        self, organization_id: OrganizationId, invoice_id: InvoiceId
    ) -> "IntakeResult":
        """One run, as the organization's own agent."""
        agency = await self._loaded()
        return await agency.run(await self._agent(organization_id), invoice_id)

    async def _loaded(self) -> "Agency":
        async with self._loading:
            if self._agency is None:
                # In a thread: the pump goes on meanwhile.
                self._agency = await asyncio.to_thread(_open_agency, self._core, self._documents)
        return self._agency

    async def _agent(self, organization_id: OrganizationId) -> Principal:
        async with self._core.database.unit(organization_id) as connection:
            users = await users_with_roles(connection, organization_id, frozenset({Role.SERVICE}))
        for user in users:
            if user.kind is PrincipalKind.AGENT:
                return user.principal
        raise InvariantViolated("AGENT_MISSING", "the organization has no active agent user")


def _open_agency(core: Core, documents: DocumentReaders) -> "Agency":
    from worker.agency import Agency

    return Agency(core, documents)
