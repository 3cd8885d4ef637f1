"""Owns how long starts take, medians of several. Must never count a start that did not serve.

Half of a start is the loading of modules, so what is measured is the environment that people have:
`.venv` of `make setup` where it stands, else the benchmark's own.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

from treasurer.settings import Settings, process_environment

HELP_RUNS = 10
START_RUNS = 3
READY_TIMEOUT_S = 30.0
_COMMAND = Path(__file__).parents[1] / ".venv/bin/treasurer"
_CLI = (str(_COMMAND),) if _COMMAND.exists() else (sys.executable, "-m", "treasurer.cli")


def measure(api_settings: Settings) -> dict[str, float]:
    """Seconds: CLI help, the API answering, and `up --demo` ready on a new folder and on one with
    data. `api_settings` name servers that run already: only the API's own start is timed.
    """
    help_s = statistics.median(_timed(_help) for _ in range(HELP_RUNS))
    cold: list[float] = []
    warm: list[float] = []
    for _ in range(START_RUNS):
        with tempfile.TemporaryDirectory(prefix="treasurer-bench-") as home:
            cold.append(_up(Path(home)))
            warm.append(_up(Path(home)))
    return {
        "cli_help_s (target ≤ 0.15)": round(help_s, 3),
        "api_ready_s (target ≤ 1)": round(
            statistics.median(_api(api_settings) for _ in range(START_RUNS)), 2
        ),
        "up_cold_s (target ≤ 5)": round(statistics.median(cold), 2),
        "up_warm_s (target ≤ 5)": round(statistics.median(warm), 2),
    }


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _help() -> None:
    subprocess.run([*_CLI, "--help"], check=True, stdout=subprocess.DEVNULL)


def _api(settings: Settings) -> float:
    """Seconds until `treasurer serve` answers its first request; then stop it."""
    address = f"http://127.0.0.1:{settings.treasurer_port}/health/live"
    started = time.perf_counter()
    process = subprocess.Popen(
        [*_CLI, "serve"], env=process_environment(settings), stderr=subprocess.DEVNULL
    )
    try:
        while not _answers(address):
            if process.poll() is not None or time.perf_counter() - started > READY_TIMEOUT_S:
                raise RuntimeError("`treasurer serve` did not answer")
            time.sleep(0.005)
        return time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(READY_TIMEOUT_S)


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


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
