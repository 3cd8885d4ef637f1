"""Owns the floor: raw durable one-row commits a second. Must never batch: a commit a row."""

import asyncio
import time

import asyncpg
from uuid_utils.compat import uuid7

CONNECTIONS = 16


class Floor:
    """One table, sixteen connections, each committing one row after the other."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, dsn: str) -> "Floor":
        pool = await asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS)
        await pool.execute(
            "CREATE TABLE commits (id uuid PRIMARY KEY, state text NOT NULL, amount bigint NOT NULL)"
        )
        return cls(pool)

    async def close(self) -> None:
        await self._pool.close()

    async def round(self, seconds: float) -> float:
        """Commits a second."""
        started = time.perf_counter()
        done = await asyncio.gather(
            *(self._commit_until(started + seconds) for _ in range(CONNECTIONS))
        )
        return sum(done) / (time.perf_counter() - started)

    async def _commit_until(self, deadline: float) -> int:
        done = 0
        async with self._pool.acquire() as connection:
            insert = await connection.prepare("INSERT INTO commits VALUES ($1, 'settled', $2)")
            while time.perf_counter() < deadline:
                await insert.fetch(uuid7(), done)
                done += 1
        return done
