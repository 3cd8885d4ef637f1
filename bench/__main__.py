"""`make bench`: all comparisons in one run, with one table at the end; progress goes before it.

Must never report a ratio of figures from different runs. `--quick` shows within minutes that all of
it works; its figures mean little. `python -m bench readers starts` measures these parts alone.
"""

import asyncio
import json
import operator
import re
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvloop

from bench import anvil, backtest, intake, policy, readers, scale, startup
from bench.disks import Disk, disks, serve
from bench.floor import Floor
from bench.payments import PaymentsBench
from bench.workflows import Workflows
from tests.support.anvil import ANVIL
from treasurer.db.engine import conninfo

RESULTS = Path(__file__).with_name("results.json")
NOTE = "medians of interleaved rounds; only the ratios carry over to other machines"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. A round of payments is rounded up to whole waves."""

    rounds: int
    floor_s: float
    payments: int
    workflows: int
    requests: int
    decisions: int
    anvil: anvil.AnvilSize
    scale: scale.ScaleSize


FULL = Size(
    rounds=5,
    floor_s=3.0,
    payments=2_000,
    workflows=400,
    requests=1_500,
    decisions=100_000,
    anvil=anvil.AnvilSize(rounds=5, waves=1, batches=16, steps=100, latencies=20),
    scale=scale.ScaleSize(few=10, many=1_000, rounds=7, payments=20, reads=200),
)
QUICK = Size(
    rounds=2,
    floor_s=0.5,
    payments=500,
    workflows=50,
    requests=500,
    decisions=5_000,
    anvil=anvil.AnvilSize(rounds=2, waves=1, batches=4, steps=30, latencies=5),
    scale=scale.ScaleSize(few=1, many=50, rounds=3, payments=8, reads=50),
)

Figures = dict[str, float]
_TARGET = re.compile(r"\(target ([≥≤]) ([0-9.]+)\)$")


PARTS = ("payments", "scale", "anvil", "intake", "decisions", "backtest", "readers", "starts")


def main(size: Size, parts: Sequence[str]) -> None:
    """Measure `parts` and print the table; of all of them, keep it in bench/results.json."""
    results: dict[str, Figures] = {}
    with disks() as found:
        for disk in found:
            if "payments" in parts:
                _say(f"payments, {disk.name}")
                results[f"payments, {disk.name}"] = _run(_payments(disk, size))
            if "intake" in parts:
                _say(f"intake, {disk.name}")
                results[f"intake, {disk.name}"] = _run(_intake(disk, size))
        if "scale" in parts:
            _say("scale")
            with serve(found[0]) as servers:
                results["scale"] = _run(scale.measure(servers, size.scale))
        if "anvil" in parts and ANVIL is None:
            _say("anvil: it is not installed; run `make anvil` (needs npm)")
        elif "anvil" in parts:
            _say("anvil")
            with serve(found[0]) as servers:
                results["anvil"] = _run(anvil.measure(servers, size.anvil))
        if "decisions" in parts:
            _say("decisions")
            results["decisions, full trace"] = _decisions()
        if "backtest" in parts:
            _say("backtest")
            results["backtest of stored decisions (target 60 s for 100,000)"] = backtest.run(
                size.decisions
            )
        if "readers" in parts:
            _say("readers")
            results["readers"] = readers.measure()
        if "starts" in parts:
            _say("starts")
            with serve(found[0]) as servers:
                results["starts"] = startup.measure(intake.api_settings(servers))
    _table(results)
    if set(parts) == set(PARTS):
        RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        print(f"\nkept in {RESULTS.relative_to(Path.cwd())}")


def _run(figures: object) -> Figures:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(figures)  # type: ignore[arg-type]


async def _payments(disk: Disk, size: Size) -> Figures:
    """Rounds of raw commits, our pump, and DBOS, on one server."""
    with serve(disk) as servers:
        floor = await Floor.open(conninfo(servers.database("floor")))
        bench = PaymentsBench(servers.migrated("payments"))
        await bench.set_up()
        workflows = Workflows(conninfo(servers.database("workflows")))
        await bench.round(1)  # compiles, prepares and connects
        servers.analyze("payments")
        commits, settled, reserved, steps = [], [], [], []
        for number in range(1, size.rounds + 1):
            commits.append(await floor.round(size.floor_s))
            rates = await bench.round(size.payments)
            settled.append(rates.settled)
            reserved.append(rates.reserved)
            steps.append(await workflows.round(size.workflows))
            _say(
                f"  round {number}: {commits[-1]:,.0f} raw commits/s, "
                f"{settled[-1]:,.0f} payments/s, {steps[-1]:,.0f} workflows/s"
            )
        workflows.close()
        await bench.close()
        await floor.close()
    target = 1.0 if disk.environment else 0.3
    return {
        "reserved → settled, payments/s": statistics.median(settled),
        "reserve step alone, payments/s": statistics.median(reserved),
        "raw durable commits/s": statistics.median(commits),
        "DBOS workflows of four steps/s": statistics.median(steps),
        f"settled over raw commits (target ≥ {target})": _ratio(settled, commits),
        "settled over DBOS (target ≥ 10)": _ratio(settled, steps),
    }


async def _intake(disk: Disk, size: Size) -> Figures:
    with serve(disk) as servers:
        found = await intake.measure(servers, rounds=size.rounds, requests=size.requests)
    return {
        "accepted/s": statistics.median(found.accepted_per_s),
        "no-op endpoint/s": statistics.median(found.noop_per_s),
        "accepted over no-op (target ≥ 0.3)": _ratio(found.accepted_per_s, found.noop_per_s),
        f"p50 ms at {intake.PER_S}/s in bursts": found.p50_ms,
        f"p99 ms at {intake.PER_S}/s in bursts (target ≤ 150)": found.p99_ms,
    }


def _decisions() -> Figures:
    found = policy.run()
    rates, ratios = found["decisions_per_s"], found["full_trace_over"]
    assert isinstance(rates, dict)
    assert isinstance(ratios, dict)
    targets = {"zen-engine table, traced": " (target ≥ 4)", "cedarpy, pre-parsed": " (target ≥ 5)"}
    return {f"{name}, decisions/s": float(rate) for name, rate in rates.items()} | {
        f"ours over {name}{targets.get(name, '')}": float(ratio)
        for name, ratio in ratios.items()
        if not name.startswith("policy")
    }


def _ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of the rounds' own ratios: both sides of each saw the same machine."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def _table(results: dict[str, Figures]) -> None:
    print(f"\n{NOTE}")
    for part, figures in results.items():
        print(f"\n{part}")
        for name, value in figures.items():
            figure = f"{value:>12,.0f}" if value >= 100 else f"{value:>12.3g}"
            print(f"  {name:54}{figure}  {_verdict(name, value)}".rstrip())


def _verdict(name: str, value: float) -> str:
    """Whether the target that a figure's name ends with is met."""
    target = _TARGET.search(name)
    if target is None:
        return ""
    holds = operator.ge if target[1] == "≥" else operator.le
    return "met" if holds(value, float(target[2])) else "missed"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    # The pump logs as in production, but nobody reads it here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    asked = [each for each in sys.argv[1:] if each != "--quick"]
    if unknown := set(asked) - set(PARTS):
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    main(QUICK if "--quick" in sys.argv[1:] else FULL, asked or PARTS)
