"""Owns the engines and opens units of work. Must never let a unit run without its organization.

Row-level security shows a unit only its own organization's rows; without `app.org` it sees nothing.
The system role crosses organizations, and its grants let it read ids and due times only.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import OperationalError
from sqlalchemy import event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from treasurer.db.arrays import SetDumper
from treasurer.db.pipeline import Pipelined, pipelined
from treasurer.kernel.ids import OrganizationId

_SCOPE = text("SELECT set_config('app.org', :organization_id, true)")
_SCOPE_SETS = text("""
    SELECT set_config('app.org', :organization_id, true),
           set_config('plan_cache_mode', 'force_generic_plan', true)
""")


_MOST_PREPARED = 500  # more than all statements together, so that none is ever prepared again


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """One database, three sign-ins. Values carry passwords: never log them."""

    owner: URL
    app: URL
    system: URL


class Database:
    """Units of work over one PostgreSQL database. One instance a process."""

    def __init__(self, app: AsyncEngine, system: AsyncEngine) -> None:
        self._app = app
        self._system = system

    @asynccontextmanager
    async def unit(self, organization_id: OrganizationId) -> AsyncIterator[AsyncConnection]:
        """One transaction scoped to an organization: commits when left cleanly, else rolls back."""
        async with self._app.begin() as connection:
            await connection.execute(_SCOPE, {"organization_id": str(organization_id)})
            yield connection

    @asynccontextmanager
    async def sets(self, organization_id: OrganizationId) -> AsyncIterator[AsyncConnection]:
        """A `unit` whose statements take sets of rows and are planned once for each connection.

        Planning a join of eight tables takes longer than running it for a hundred rows. Not for
        pages: their optional bounds become index conditions only when they are planned with them.
        """
        async with self._app.begin() as connection:
            await connection.execute(_SCOPE_SETS, {"organization_id": str(organization_id)})
            yield connection

    @asynccontextmanager
    async def pipeline(self, organization_id: OrganizationId) -> AsyncIterator[Pipelined]:
        """As `unit`, for sets of statements that need few of each other's answers."""
        async with pipelined(self._app) as unit:
            await unit.execute(_SCOPE, {"organization_id": str(organization_id)})
            yield unit

    @asynccontextmanager
    async def unscoped(self) -> AsyncIterator[AsyncConnection]:
        """As the app role with no organization: row-level security hides every organization's rows.

        For sign-in, which knows an address and not yet the organization, and for prices.
        """
        async with self._app.begin() as connection:
            yield connection

    @asynccontextmanager
    async def claims(self) -> AsyncIterator[AsyncConnection]:
        """One transaction of the system role, which may claim ids and read no content."""
        async with self._system.begin() as connection:
            yield connection

    async def close(self) -> None:
        """Give all connections back to the server."""
        await self._app.dispose()
        await self._system.dispose()


def open_database(urls: DatabaseUrls, *, pool_size: int) -> Database:
    """Engines are lazy: no connection is made before the first unit of work."""

    def engine(url: URL, size: int) -> AsyncEngine:
        made = create_async_engine(
            url,
            pool_size=size,
            max_overflow=size,
            pool_pre_ping=False,
            # All SQL is constant, so a statement's first use is the time to prepare it.
            connect_args={"prepare_threshold": 0},
        )
        event.listen(made.sync_engine, "connect", _tune)
        return made

    return Database(engine(urls.app, pool_size), engine(urls.system, max(2, pool_size // 2)))


def _tune(connection: Any, _: object) -> None:
    """Sets of rows travel as arrays; quoting them as text costs more than all else on our side."""
    driver = connection.driver_connection
    driver.adapters.register_dumper(list, SetDumper)
    driver.prepared_max = _MOST_PREPARED


def is_unreachable(error: Exception) -> bool:
    """Whether there was no database to ask, so that asking for something else would not help.

    A server that answers names an SQLSTATE, whatever it refuses.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, OperationalError):
        return cause.sqlstate is None
    return isinstance(cause, PoolTimeout)


def psycopg_url(url: str) -> URL:
    """Accept the usual spellings of a PostgreSQL address and name the one driver."""
    parsed = make_url(url)
    return parsed.set(drivername="postgresql+psycopg")


def conninfo(url: URL) -> str:
    """The libpq spelling of `url`, for procrastinate's own pool. Carries the password."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
