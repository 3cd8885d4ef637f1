"""Owns the use cases of the audit log: sealing an organization's events and verifying its chain.

Must never repair a chain: a fault is reported, with its place.
"""

from dataclasses import dataclass

from treasurer.audit import store
from treasurer.audit.model import ChainFault, ChainVerifier
from treasurer.db.engine import Database
from treasurer.kernel.ids import OrganizationId

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Verification:
    """How far the chain was checked, its head there, and the first fault if there is one."""

    events: int
    head_hash: bytes
    fault: ChainFault | None


class AuditService:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def seal(self, organization_id: OrganizationId) -> int:
        """Seal everything unsealed, a page a transaction; return the number of events sealed."""
        total = 0
        while True:
            async with self._database.unit(organization_id) as connection:
                sealed = await store.seal(connection, organization_id, most=_PAGE)
            total += sealed
            if sealed < _PAGE:
                return total

    async def verify(self, organization_id: OrganizationId) -> Verification:
        """Recompute every hash from the first seal to the head."""
        verifier = ChainVerifier()
        while True:
            async with self._database.unit(organization_id) as connection:
                page = await store.sealed_page(
                    connection, organization_id, after=verifier.sequence, most=_PAGE
                )
                head = await store.head(connection, organization_id)
            fault = verifier.check(page)
            if fault:
                return Verification(verifier.sequence, verifier.hash, fault)
            if len(page) < _PAGE:
                break
        if head and head != (verifier.sequence, verifier.hash):
            fault = ChainFault(
                verifier.sequence, "the head names another seal: the tail is missing"
            )
        return Verification(verifier.sequence, verifier.hash, fault)
