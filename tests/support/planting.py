"""Violations planted in a transaction that is looked at from inside and then rolled back.

So one world serves all plantings, DDL included: nothing of it is ever committed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from treasurer.db.engine import Database, DatabaseUrls
from treasurer.db.roles import APP, OWNER
from treasurer.kernel.ids import OrganizationId


class OpenTransaction(Database):
    """Units of work that all see one uncommitted transaction, each in a savepoint of its own."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def unit(self, organization_id: OrganizationId) -> AsyncIterator[AsyncConnection]:
        savepoint = await self._connection.begin_nested()
        try:
            await self._connection.execute(
                text("SELECT set_config('app.org', :id, true)"), {"id": str(organization_id)}
            )
            yield self._connection
        finally:
            # A savepoint's SET TRANSACTION READ ONLY ends with it; reads leave nothing behind.
            await savepoint.rollback()


@asynccontextmanager
async def planted(
    urls: DatabaseUrls, organization_id: OrganizationId, *statements: str, role: str | None = OWNER
) -> AsyncIterator[Database]:
    """The database as the app role sees it after `statements` of `role` (None: the superuser)."""
    engine = create_async_engine(urls.owner, poolclass=NullPool)
    async with engine.connect() as connection:
        if role:
            await connection.execute(text(f"SET LOCAL ROLE {role}"))
        await connection.execute(
            text("SELECT set_config('app.org', :id, true)"), {"id": str(organization_id)}
        )
        for statement in statements:
            await connection.exec_driver_sql(statement)
        await connection.execute(text(f"SET LOCAL ROLE {APP}"))
        yield OpenTransaction(connection)
        await connection.rollback()
    await engine.dispose()
