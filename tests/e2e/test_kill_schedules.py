"""Seeded schedules of real deaths: two workers killed by SIGKILL, behind a proxy that misbehaves.

`make soak` runs a hundred. TREASURER_FAULT_KILLS=A:B runs those seeds only, so that a run is resumed.
"""

import asyncio
import os
import time
from dataclasses import replace
from random import Random

import pytest
from sqlalchemy import text

from tests.e2e.test_worker_killed import POINTS, require_paid_once, settled, submit
from tests.faults.proxy import FaultyProxy, ProxyPlan, faulty_proxy
from tests.support.workers import Worker, worker
from treasurer.bootstrap import Core
from treasurer.cli.demonstration import CLERK, Norwick
from treasurer.cli.installation import Installation

WORKERS = 2
FINALLY_S = 60.0
"""Everything has ended this long after the last fault."""


def _seeds() -> range:
    first, _, last = (os.environ.get("TREASURER_FAULT_KILLS") or "0:100").partition(":")
    return range(int(first), int(last))


@pytest.mark.soak
@pytest.mark.parametrize("seed", _seeds())
async def test_killed_by_schedule(
    seed: int, installation: Installation, core: Core, norwick: Norwick
) -> None:
    rng = Random(seed)
    node = installation.settings.rpc_url
    assert node is not None
    async with faulty_proxy([node.get_secret_value()], ProxyPlan.everything(seed)) as proxy:
        behind = _behind(installation, proxy)
        invoices = [await submit(core, norwick) for _ in range(rng.randint(1, 3))]
        dying = [Worker(behind, rng.choice(POINTS)) for _ in range(WORKERS)]
        try:
            await _until_dead(dying, rng)
        finally:
            for one in dying:
                one.end()
    last_fault = time.monotonic()
    with worker(installation):
        payments = [await settled(core, norwick, invoice) for invoice in invoices]
    assert time.monotonic() - last_fault < FINALLY_S
    for payment in payments:
        await require_paid_once(core, payment)
    assert await _unfinished(core, norwick) == 0


def _behind(installation: Installation, proxy: FaultyProxy) -> Installation:
    settings = installation.settings.model_copy(
        update={"rpc_url": type(installation.settings.rpc_url)(proxy.url)}  # type: ignore[call-arg]
    )
    return replace(installation, settings=settings)


async def _until_dead(workers: list[Worker], rng: Random) -> None:
    """Each dies at its point, or, when its point does not come, is killed at a moment of the seed."""
    for _ in range(rng.randint(80, 200)):
        if all(one.killed for one in workers):
            return
        await asyncio.sleep(0.05)
    for one in workers:
        if not one.killed:
            one.child.process.kill()


async def _unfinished(core: Core, norwick: Norwick) -> int:
    async with core.database.unit(norwick.people[CLERK].organization_id) as connection:
        rows = await connection.execute(
            text("SELECT count(*) FROM transfers WHERE state NOT IN ('settled', 'void')")
        )
        return int(rows.scalar_one())
