"""Owns what the checks may look at: one organization's rows, read-only, and the chain at one block.

Must never hold what it read: pages come and go, so that history of any length is checked in little
memory. No transaction stays open while the chain is asked.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit.service import AuditService
from treasurer.chain.port import BlockRef, Chain
from treasurer.db.engine import Database
from treasurer.kernel.ids import OrganizationId
from treasurer.kernel.money import Asset

PAGE = 200
FIRST_ID = UUID(int=0)
_READ_ONLY = text("SET TRANSACTION READ ONLY")

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Network:
    """The chain's own coin, and the pinned tokens by their lower-case address."""

    chain_id: int
    native: Asset
    tokens: Mapping[str, Asset]


@dataclass(frozen=True, slots=True)
class Scene:
    """One organization at one final block. `nonces` are its wallets' on chain, by address."""

    organization_id: OrganizationId
    database: Database
    chain: Chain
    network: Network
    audit: AuditService
    block: BlockRef
    nonces: Mapping[str, int]
    now: datetime

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A unit of work that cannot write."""
        async with self.database.unit(self.organization_id) as connection:
            await connection.execute(_READ_ONLY)
            yield connection

    async def rows(self, statement: TextClause, **parameters: object) -> Sequence[Row[Any]]:
        """All rows of one statement, which bounds them itself."""
        scope = {"organization_id": self.organization_id, **parameters}
        names = statement.compile().params
        async with self.reading() as connection:
            found = await connection.execute(
                statement, {name: scope[name] for name in names if name in scope}
            )
            return found.all()

    async def pages(self, statement: TextClause) -> AsyncIterator[Sequence[Row[Any]]]:
        """Rows by ascending `id`, `:most` after `:after` a page."""
        after: UUID = FIRST_ID
        while page := await self.rows(statement, after=after, most=PAGE):
            yield page
            after = page[-1].id

    async def compute(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run `function` beside the event loop."""
        return await asyncio.to_thread(function, *arguments, **named)
