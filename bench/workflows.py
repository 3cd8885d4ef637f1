"""Owns the peer: a DBOS workflow of four steps on the same PostgreSQL. Must never do work of ours."""

import asyncio
import time

from dbos import DBOS, DBOSConfig

CONCURRENT = 16


@DBOS.step()
async def _step(number: int) -> int:
    return number


@DBOS.workflow()
async def _pay(number: int) -> int:
    for _ in range(4):
        number = await _step(number)
    return number


class Workflows:
    """DBOS over one database; `round` runs workflows sixteen at a time."""

    def __init__(self, url: str) -> None:
        DBOS(config=DBOSConfig(name="bench", system_database_url=url, log_level="ERROR"))
        DBOS.launch()

    async def round(self, workflows: int) -> float:
        """Workflows a second."""
        numbers = iter(range(workflows))

        async def work() -> None:
            for number in numbers:
                await _pay(number)

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(CONCURRENT)))
        return workflows / (time.perf_counter() - started)

    def close(self) -> None:
        DBOS.destroy()
