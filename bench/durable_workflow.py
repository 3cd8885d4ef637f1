"""Owns the peer: a DBOS workflow of four steps on the same PostgreSQL. Run as a process of its own.

Must never be held back: the steps do nothing, as many workflows run at once as serve it best.
`python -m bench.durable_workflow DSN WORKFLOWS` prints one number, workflows a second.
"""

import asyncio
import logging
import sys
import time

from dbos import DBOS, DBOSConfig

CONCURRENT = 32


@DBOS.step()
async def step(payment: int, state: str) -> str:
    return f"{payment} {state}"


@DBOS.workflow()
async def pay(payment: int) -> str:
    for state in ("slotted", "signed", "broadcast"):
        await step(payment, state)
    return await step(payment, "settled")


async def _run(workflows: int) -> float:
    places = asyncio.Semaphore(CONCURRENT)

    async def one(payment: int) -> None:
        async with places:
            await pay(payment)

    await asyncio.gather(*(one(-1 - payment) for payment in range(CONCURRENT)))
    started = time.perf_counter()
    await asyncio.gather(*(one(payment) for payment in range(workflows)))
    return workflows / (time.perf_counter() - started)


def main(dsn: str, workflows: int) -> None:
    config: DBOSConfig = {
        "name": "benchmark",
        "system_database_url": dsn,
        "log_level": "ERROR",
        "sys_db_pool_size": 16,
    }
    logging.disable(logging.WARNING)
    DBOS(config=config)
    DBOS.launch()
    print(asyncio.run(_run(workflows)))
    DBOS.destroy()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
