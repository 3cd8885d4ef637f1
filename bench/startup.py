"""Owns how long starts take, medians of several. Must never count a start that did not serve."""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HELP_RUNS = 10
START_RUNS = 3
_CLI = (sys.executable, "-m", "treasurer.cli")


def measure() -> dict[str, float]:
    """Seconds: CLI help, and `up --demo` ready on a new folder and on one with data."""
    help_s = statistics.median(_timed(_help) for _ in range(HELP_RUNS))
    cold: list[float] = []
    warm: list[float] = []
    for _ in range(START_RUNS):
        with tempfile.TemporaryDirectory(prefix="treasurer-bench-") as home:
            cold.append(_up(Path(home)))
            warm.append(_up(Path(home)))
    return {
        "cli_help_s": round(help_s, 3),
        "up_cold_s": round(statistics.median(cold), 2),
        "up_warm_s": round(statistics.median(warm), 2),
    }


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _help() -> None:
    subprocess.run([*_CLI, "--help"], check=True, stdout=subprocess.DEVNULL)


def _up(home: Path) -> float:
    """Seconds until `up --demo` says that it is ready; then stop it."""
    port = _free_port()
    environment = {**os.environ, "TREASURER_HOME": str(home), "TREASURER_PORT": str(port)}
    started = time.perf_counter()
    process = subprocess.Popen(
        [*_CLI, "up", "--demo"], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    ready_s = 0.0
    for line in process.stdout:
        if line.startswith("ready after"):
            ready_s = time.perf_counter() - started
            break
    process.terminate()
    process.wait(30)
    if not ready_s:
        raise RuntimeError("`treasurer up --demo` ended without being ready")
    return ready_s


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
