"""Ordinary keys never enter API, worker or agents: their memory is read and searched.

The signer has one key more than it needs, a fresh one. Whoever had opened the signer's keys would
have this one too. The agents run within the worker.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.cli import CANARY, PASSPHRASE_TEXT, ROOT, Up
from tests.support.embedded import wait_for

_CHUNK = 1 << 20
_OVERLAP = 2 * len(CANARY)
"""The longest needle's length."""
_SPECIAL = ("[vvar", "[vsyscall", "/dev/")
NEEDLES = {
    "raw": CANARY,
    "hexadecimal": CANARY.hex().encode(),
    "known": b"treasurer.kernel.errors",
}
"""The last is in the memory of all our processes: what is not found was not searched."""
HOLDER = """
import sys
from pathlib import Path
from signer.keys import load_keys
keys = load_keys(Path(sys.argv[1]), sys.argv[2].encode())
print(len(keys.addresses), flush=True)
sys.stdin.read()
"""


def memory(pid: int) -> Iterator[bytes]:
    """What the process can read of its own memory, in pieces that overlap. Raises PermissionError."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in maps:
            span, permissions, *rest = line.split(maxsplit=5)
            if permissions[0] != "r" or (rest[3:] and rest[3].startswith(_SPECIAL)):
                continue
            start, end = (int(address, 16) for address in span.split("-"))
            for place in range(start, end, _CHUNK):
                wanted = min(_CHUNK + _OVERLAP, end - place)
                try:
                    yield os.pread(file.fileno(), wanted, place)
                except OSError:
                    continue  # Given back since the map was read, or never filled by the kernel.


def found(pid: int) -> set[str]:
    """Which of the needles are in the process's memory."""
    return {name for piece in memory(pid) for name, needle in NEEDLES.items() if needle in piece}


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    return [pid, *(each for child in children(pid) for each in family(child))]


def children(pid: int) -> list[int]:
    """None of a process that has ended meanwhile."""
    pids: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            pids += map(int, (task / "children").read_text().split())
    return pids


def named(up: Up) -> dict[str, int]:
    """What `treasurer up` started and keeps, by its command: serve, worker, signer, …"""
    processes = {}
    for pid in children(up.process.pid):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        if words[1:3] == ["-m", "treasurer.cli"]:
            processes[words[3]] = pid
        elif words[1:3] == ["-m", "signer"]:
            processes["signer"] = pid
    return processes


@pytest.mark.parametrize("name", ["serve", "worker", "up"])
def test_no_key_is_in_the_memory_of(up: Up, name: str) -> None:
    if name == "worker":
        # It has spoken to the signer, whatever could have come of that.
        wait_for(lambda: up.place.invoke("audit", "head").status == 0, "the first signed head", 30)
    first = up.process.pid if name == "up" else named(up)[name]
    assert found(first) == {"known"}
    if name != "up":
        for child in family(first)[1:]:
            # One that has ended meanwhile holds nothing.
            with suppress(FileNotFoundError, ProcessLookupError):
                assert found(child) <= {"known"}, f"process {child} of {name}"


def test_a_process_that_opened_the_keys_is_found_out(up: Up) -> None:
    """The search itself: it finds the key where it is."""
    folder = str(up.place.home / "signer" / "keys")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder, PASSPHRASE_TEXT],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "2\n"
        assert {"raw", "known"} <= found(holder.pid)
    finally:
        holder.communicate("", timeout=10)


def test_the_signer_has_it_and_shows_its_memory_to_nobody_but_root(up: Up) -> None:
    try:
        names = found(named(up)["signer"])
    except PermissionError:
        assert os.getuid() != 0 or not _may_trace()
        return
    assert "raw" in names


def _may_trace() -> bool:
    """Whether this process has CAP_SYS_PTRACE (19), which opens what prctl closed."""
    status = Path("/proc/self/status").read_text()
    (effective,) = (line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> 19 & 1)
