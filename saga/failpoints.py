"""Owns the named points at which a test may stop the engine. Off unless armed.

A point stands after every commit and after every effect outside the database, because a process may
die on any line and these are the lines where the difference is seen.
"""

import os
import signal
from collections.abc import Callable

Failpoint = Callable[[str], None]
"""Called with a point's name; returns, or does not."""


def unarmed(name: str) -> None:
    """Production: every point is passed."""


def kill_at(armed: str) -> Failpoint:
    """SIGKILL of the own process when the point `armed` is reached: no clean-up runs."""

    def reach(name: str) -> None:
        if name == armed:
            os.kill(os.getpid(), signal.SIGKILL)

    return reach
