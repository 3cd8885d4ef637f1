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


def arm(point: str) -> Failpoint:
    """`NAME` kills the own process with SIGKILL when that point is reached, so that no clean-up runs;
    `NAME:stop` stops it with SIGSTOP, as a machine does that hangs past its lease. Only once.
    """
    armed, _, action = point.partition(":")
    left = [signal.SIGSTOP if action == "stop" else signal.SIGKILL]

    def reach(name: str) -> None:
        if name == armed and left:
            os.kill(os.getpid(), left.pop())

    return reach
