"""`make bench`: all comparisons in one run, with a table at the end. Progress goes to standard error."""

import asyncio
import json
import statistics
import sys
from pathlib import Path

from bench import policy, startup
from bench.disks import Disk, disks, serve
from bench.floor import Floor
from bench.intake import measure as measure_intake
from bench.payments import PaymentsBench
from bench.workflows import Workflows
from treasurer.db.engine import conninfo

ROUNDS = 5
FLOOR_SECONDS = 3.0
PAYMENTS = 2_000
WORKFLOWS = 400
RESULTS = Path("bench/results.json")


def main() -> None:
    """Measure, print, and keep the figures in bench/results.json."""
    results: dict[str, object] = {}
    with disks() as found:
        for disk in found:
            _say(f"payments on the {disk.name} …")
            results[f"payments, {disk.name}"] = _shown(asyncio.run(_payments(disk)))
            _say(f"intake on the {disk.name} …")
            results[f"intake, {disk.name}"] = _shown(asyncio.run(_intake(disk)))
    _say("decisions …")
    results["decisions"] = policy.run()
    _say("starts …")
    results["starts"] = _shown(startup.measure())
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    _say(f"written to {RESULTS}")


async def _payments(disk: Disk) -> dict[str, float]:
    """Interleaved rounds of raw commits, our pump, and DBOS, on one server."""
    with serve(disk) as servers:
        floor = await Floor.open(conninfo(servers.database("floor")))
        bench = PaymentsBench(servers.migrated("payments"))
        await bench.set_up()
        workflows = Workflows(conninfo(servers.database("workflows")))
        commits, settled, reserved, steps = [], [], [], []
        for _ in range(ROUNDS):
            commits.append(await floor.round(FLOOR_SECONDS))
            rates = await bench.round(PAYMENTS)
            settled.append(rates.settled)
            reserved.append(rates.reserved)
            steps.append(await workflows.round(WORKFLOWS))
        workflows.close()
        await bench.close()
        await floor.close()
    ours, raw, dbos = (statistics.median(found) for found in (settled, commits, steps))
    return {
        "settled_per_s": round(ours),
        "reserve_alone_per_s": round(statistics.median(reserved)),
        "raw_commits_per_s": round(raw),
        "dbos_workflows_per_s": round(dbos),
        "settled_over_raw (target 0.3, slow disk 1)": round(ours / raw, 3),
        "settled_over_dbos (target 10)": round(ours / dbos, 1),
    }


async def _intake(disk: Disk) -> dict[str, float]:
    with serve(disk) as servers:
        intake = await measure_intake(servers)
    return {
        "accepted_per_s": round(intake.accepted_per_s),
        "noop_per_s": round(intake.noop_per_s),
        "accepted_over_noop (target 0.3)": round(intake.ratio, 3),
        "p99_ms at 450/s in bursts (target 150)": round(intake.p99_ms, 1),
    }


def _shown(figures: dict[str, float]) -> dict[str, float]:
    for name, value in figures.items():
        print(f"  {name:44}{value:>12,}")
    return figures


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


main()
