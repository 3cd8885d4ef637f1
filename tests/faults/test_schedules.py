"""Seeded schedules of deaths and faults over four workers and three wallets: paid once, books whole.

`make soak` runs a thousand. TREASURER_FAULT_SEEDS=A:B runs those seeds, so a range can be resumed and
one that failed can be run again alone.
"""

import os

import pytest
import structlog

from tests.faults.schedule import run_schedule
from treasurer.db.engine import Database

SLICE = "0:25"
ALL = "0:1000"


def _seeds(spoken: str) -> range:
    first, _, last = os.environ.get("TREASURER_FAULT_SEEDS", spoken).partition(":")
    return range(int(first), int(last or int(first) + 1))


async def _run(database: Database, seeds: range) -> None:
    happened: dict[str, int] = {}
    settled = 0
    for seed in seeds:
        outcome = await run_schedule(database, seed)
        assert outcome.faults == [], f"seed {seed}: {outcome.faults} after {outcome.happened}"
        settled += outcome.settled
        for name, count in outcome.happened.items():
            happened[name] = happened.get(name, 0) + count
    print(f"seeds {seeds.start}:{seeds.stop}, {settled} payments settled, faults: {happened}")
    assert len(happened) >= 10, "the schedules were too calm to show anything"


@pytest.fixture(autouse=True)
def quiet() -> object:
    """An engine that fails logs its trace; thousands of them tell nothing."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), processors=[_drop])
    yield
    structlog.reset_defaults()


def _drop(*_: object) -> dict[str, object]:
    raise structlog.DropEvent


async def test_a_slice(laboratory: Database) -> None:
    await _run(laboratory, _seeds(SLICE))


@pytest.mark.soak
async def test_all(laboratory: Database) -> None:
    await _run(laboratory, _seeds(ALL))
