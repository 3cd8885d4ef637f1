"""`treasurer demo`: the main job, headless, checked from outside. Must never report what it did not see.

Everything happens through the doors that users have: REST with a clerk's and an approver's token.
Chain, ledger and audit log are then read by themselves.
"""

import asyncio
import json
import socket
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from treasurer.settings import Settings

DEADLINE_S = 50.0


@dataclass(slots=True)
class Report:
    """What the last line prints. A check that is false makes the exit status 1."""

    figures: dict[str, Any] = field(default_factory=dict)
    checks: dict[str, bool] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def line(self) -> str:
        return json.dumps(
            {"figures": self.figures, "checks": self.checks, "seconds": self.seconds},
            sort_keys=True,
        )


class Stopwatch:
    """Seconds since the command began, by stage."""

    def __init__(self, report: Report, quiet: bool) -> None:
        self._started = time.monotonic()
        self._report = report
        self._quiet = quiet

    @property
    def elapsed_s(self) -> float:
        return round(time.monotonic() - self._started, 2)

    def mark(self, stage: str) -> None:
        self._report.seconds[stage] = self.elapsed_s
        if not self._quiet:
            click.echo(f"{self.elapsed_s:6.2f} s  {stage}", err=True)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Last line: one JSON object.")
def demo(as_json: bool) -> None:
    """Pay invoices end to end in a temporary folder, and check chain, books and audit log."""
    from treasurer.cli.demo_checks import check_world
    from treasurer.cli.demo_story import tell
    from treasurer.cli.up import run_all

    report = Report()
    watch = Stopwatch(report, quiet=False)
    with tempfile.TemporaryDirectory(prefix="treasurer-demo-") as folder:
        settings = Settings(treasurer_home=Path(folder), treasurer_port=_free_port())
        with run_all(settings, demo=True, say=lambda text: click.echo(text, err=True)) as running:
            watch.mark("started")
            started = running.installation.settings
            asyncio.run(tell(started, report, watch))
            asyncio.run(check_world(started, report))
            watch.mark("checked")
    watch.mark("stopped")
    if as_json:
        click.echo(report.line())
    else:
        for name, holds in report.checks.items():
            click.echo(f"{'ok  ' if holds else 'FAIL'}  {name}")
    if not all(report.checks.values()):
        raise SystemExit(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
