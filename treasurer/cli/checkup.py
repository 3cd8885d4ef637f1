"""Owns what a finding of `treasurer doctor` is, and the checks of the machine itself. Changes nothing."""

import asyncio
import platform
import shutil
import stat
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from treasurer.kernel.errors import TreasurerError
from treasurer.settings import Settings

CHECK_TIMEOUT_S = 5.0
_GIB = 2**30
_LEAST_FREE_BYTES = 1 * _GIB
_COMFORTABLE_FREE_BYTES = 5 * _GIB


class State(StrEnum):
    GOOD = "good"
    NOTE = "note"
    """Works, and the reader should know."""
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one subject."""

    subject: str
    state: State
    sentence: str


Look = Callable[[], Awaitable[Sequence[Finding]]]


def good(subject: str, sentence: str) -> Finding:
    return Finding(subject, State.GOOD, sentence)


def note(subject: str, sentence: str) -> Finding:
    return Finding(subject, State.NOTE, sentence)


def bad(subject: str, sentence: str) -> Finding:
    return Finding(subject, State.BAD, sentence)


async def looked_at(subject: str, where: str, look: Look) -> Sequence[Finding]:
    """What `look` finds within CHECK_TIMEOUT_S; what it raises is a fault of `where`.

    Callers load the libraries that `look` uses before: on a busy machine that takes seconds, and
    would be blamed on what is looked at.
    """
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await look()
    except TimeoutError:
        return [bad(subject, f"{where}, gave no answer within {CHECK_TIMEOUT_S:g} seconds")]
    except TreasurerError as error:
        return [bad(subject, f"{where}: {error.message}")]
    except Exception as error:
        lines = str(error).strip().splitlines()
        return [
            bad(subject, f"{where}, does not answer: {lines[0] if lines else type(error).__name__}")
        ]


def look_at_machine(settings: Settings) -> list[Finding]:
    """Python, disk, and who may read the data."""
    return [
        good("python", f"Python {platform.python_version()}"),
        _disk(settings.home.root),
        *_folder(settings.home.root),
    ]


def _disk(root: Path) -> Finding:
    there = next(path for path in (root, *root.parents) if path.exists())
    free_bytes = shutil.disk_usage(there).free
    sentence = f"{free_bytes / _GIB:.1f} GiB free for {root}"
    if free_bytes < _LEAST_FREE_BYTES:
        return bad("disk", f"{sentence}: make room, a full disk stops signer and database")
    if free_bytes < _COMFORTABLE_FREE_BYTES:
        return note("disk", f"{sentence}: it will not last long")
    return good("disk", sentence)


def _folder(root: Path) -> list[Finding]:
    try:
        mode = stat.S_IMODE(root.stat().st_mode)
    except FileNotFoundError:
        return [
            bad("folder", f"{root} does not exist: run `treasurer init`, or `treasurer up --demo`")
        ]
    if mode & 0o077:
        return [bad("folder", f"{root} is open to other users: run chmod 700 {root}")]
    return [good("folder", f"{root}, closed to other users")]
