"""Owns units of work whose statements travel together. Must never commit after one of them failed.

A statement that is executed one by one costs a round trip and a pass through the whole of the
database's libraries, which for small sets is more than the work itself.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Protocol

from psycopg import AsyncConnection as Driver
from psycopg import OperationalError
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.ext.asyncio import AsyncEngine

Parameters = Mapping[str, Any]


class Executes(Protocol):
    """A unit of work, pipelined or not, for statements whose answer nobody reads."""

    async def execute(self, statement: TextClause, parameters: Parameters, /) -> object:
        """Do it within the transaction."""


class Pipelined:
    """One transaction. An error of any statement is raised at the next `fetch` or at the commit."""

    def __init__(self, driver: Driver[tuple[Any, ...]]) -> None:
        self._driver = driver

    async def execute(self, statement: TextClause, parameters: Parameters, /) -> None:
        """Send it with whatever comes next."""
        await self._driver.execute(_spelt(statement), parameters)

    async def fetch(
        self, statement: TextClause, parameters: Parameters, /
    ) -> list[tuple[Any, ...]]:
        """Send it with all that was not sent yet, and wait for its rows."""
        cursor = await self._driver.execute(_spelt(statement), parameters)
        return await cursor.fetchall()


@asynccontextmanager
async def pipelined(engine: AsyncEngine) -> AsyncIterator[Pipelined]:
    """A transaction on one of the engine's connections: commits when left cleanly, else rolls back."""
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        try:
            async with driver.pipeline():
                yield Pipelined(driver)
                await driver.commit()  # sent here, answered before the pipeline is left
        except OperationalError:
            if driver.closed:
                await connection.invalidate()
                # The server went away under all of them.
                await engine.dispose(close=False)
            raise


@cache
def _spelt(statement: TextClause) -> bytes:
    """The statement with the driver's own placeholders."""
    dialect = PGDialect_psycopg(paramstyle="pyformat")  # type: ignore[no-untyped-call]
    return str(statement.compile(dialect=dialect)).encode()
