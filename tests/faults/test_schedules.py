"""Seeded schedules of deaths and faults over four workers and three wallets: paid once, books whole.

`make soak` runs a thousand, in parts that are reported one by one. TREASURER_FAULT_SEEDS=A:B runs those
seeds only: so a run is resumed, and one seed that failed is run again alone (A:B with B = A + 1).
"""

import os

import pytest

from tests.faults.schedule import run_schedule
from treasurer.db.engine import Database

SLICE = 6
"""As many as continuous integration has time for."""
ALL = "0:1000"
A_PART = 25


def _parts() -> list[range]:
    first, _, last = (os.environ.get("TREASURER_FAULT_SEEDS") or ALL).partition(":")
    whole = range(int(first), int(last))
    return [whole[at : at + A_PART] for at in range(0, len(whole), A_PART)]


def _name(seeds: range) -> str:
    return f"{seeds.start}:{seeds.stop}"


async def _run(database: Database, seeds: range) -> dict[str, int]:
    happened: dict[str, int] = {}
    settled = cancels = batches = parted = 0
    for seed in seeds:
        outcome = await run_schedule(database, seed)
        assert outcome.faults == [], f"seed {seed}: {outcome.faults} after {outcome.happened}"
        settled += outcome.settled
        cancels += outcome.cancels
        batches += outcome.batches
        parted += outcome.parted
        for name, count in outcome.happened.items():
            happened[name] = happened.get(name, 0) + count
    print(
        f"seeds {_name(seeds)}: {settled} payments settled, {cancels} cancels,"
        f" {batches} batches settled and {parted} parted, {sum(happened.values())} faults"
    )
    return happened | {"batches settled": batches}


async def test_a_slice(laboratory: Database, quiet: None) -> None:
    happened = await _run(laboratory, range(SLICE))
    # Schedules that are too calm would show nothing.
    assert len(happened) >= 10, happened
    assert happened["batches settled"] >= 1


@pytest.mark.soak
@pytest.mark.parametrize("seeds", _parts(), ids=_name)
async def test_all(laboratory: Database, quiet: None, seeds: range) -> None:
    await _run(laboratory, seeds)
