"""Owns the stop switch: while the file `frozen` exists, no new payment is signed.

Must never treat a damaged file as thawed: existence alone freezes. A freeze made on the signer's host
is lifted only there, so that a caller who was taken over cannot undo it.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from signer.files import replace_file, sync_directory
from treasurer.kernel.clock import Clock, iso
from treasurer.kernel.digest import canonical_json
from treasurer.kernel.errors import NotPermitted


class FrozenBy(StrEnum):
    CALLER = "caller"
    """Through the socket; a caller may lift it."""
    HOST = "host"
    """On the signer's host; lifted only there."""


@dataclass(frozen=True, slots=True)
class FreezeState:
    """Who froze, when (RFC 3339) and why."""

    by: FrozenBy
    since: str
    reason: str


class FreezeSwitch:
    """The file and its meaning; asked before each batch, so that a freeze acts at once."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def state(self) -> FreezeState | None:
        """The freeze in force, or None."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            fields = json.loads(text)
            return FreezeState(FrozenBy(fields["by"]), str(fields["since"]), str(fields["reason"]))
        except (ValueError, KeyError, TypeError):
            return FreezeState(FrozenBy.HOST, "unknown", "the file `frozen` is not readable")

    def freeze(self, by: FrozenBy, reason: str) -> FreezeState:
        """Freeze, durably. A host's freeze is not weakened by a caller's."""
        present = self.state()
        if present is not None and present.by is FrozenBy.HOST:
            return present
        state = FreezeState(by, iso(self._clock()), reason)
        content = canonical_json({"by": state.by.value, "since": state.since, "reason": reason})
        replace_file(self._path, content)
        return state

    def unfreeze(self, by: FrozenBy) -> None:
        """Lift the freeze. Raises NotPermitted if a caller wants to lift the host's."""
        present = self.state()
        if present is None:
            return
        if present.by is FrozenBy.HOST and by is FrozenBy.CALLER:
            raise NotPermitted(
                "FROZEN_ON_HOST",
                "the signer was frozen on its own host; there run `python -m signer unfreeze`",
            )
        self._path.unlink(missing_ok=True)
        sync_directory(self._path.parent)
