"""Owns child processes: start, readiness, orderly end. Must never outlive its children nor they it.

Start children from the main thread: Linux sends the parent-death signal when the *thread* that
started a child ends.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from treasurer.embedded.service_user import ServiceUser
from treasurer.kernel.errors import Transient

_POLL_S = 0.01
_KILL_TIMEOUT_S = 5.0
_LOG_TAIL_BYTES = 2000
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `environment` None inherits ours; `stop_signal` also comes at our death."""

    name: str
    arguments: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] | None = None
    folder: Path | None = None
    user: ServiceUser | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0


@dataclass(slots=True)
class Child:
    """A started process."""

    command: Command
    process: subprocess.Popen[bytes]

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Return once `ready()`. Raises Transient `CHILD_EXITED` or `CHILD_NOT_READY`."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.running:
                raise Transient(
                    "CHILD_EXITED",
                    f"{self.command.name} ended with status {self.process.returncode}; "
                    f"its log {self.command.log} ends with:\n{self.log_tail()}",
                    name=self.command.name,
                )
            if time.monotonic() > deadline:
                raise Transient(
                    "CHILD_NOT_READY",
                    f"{self.command.name} was not ready after {timeout_s:g} s; "
                    f"its log {self.command.log} ends with:\n{self.log_tail()}",
                    name=self.command.name,
                )
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Ask it to end, wait, then kill. Returns when it is gone."""
        if self.running:
            self.process.send_signal(self.command.stop_signal)
            try:
                self.process.wait(self.command.stop_timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait(_KILL_TIMEOUT_S)

    def log_tail(self) -> str:
        """The last two kilobytes of its log."""
        with self.command.log.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - _LOG_TAIL_BYTES))
            return log.read().decode("utf-8", "replace").strip()


def start_child(command: Command) -> Child:
    """Start `command` in a session of its own: a terminal's Ctrl-C reaches the supervisor alone."""
    user = command.user
    with command.log.open("ab") as log:
        process = subprocess.Popen(
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=command.environment,
            cwd=command.folder,
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
            start_new_session=True,
            preexec_fn=_end_with_parent(command.stop_signal),
        )
    return Child(command, process)


def _end_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        # The parent may have died before the kernel was asked; then no signal will ever come.
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel


@dataclass(slots=True)
class Children:
    """The processes of one supervisor; leaving the context stops them, the last started first."""

    _started: list[Child] = field(default_factory=list)

    def __enter__(self) -> "Children":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, command: Command) -> Child:
        child = start_child(command)
        self._started.append(child)
        return child

    def ended(self) -> Child | None:
        """A child that ended though nobody stopped it, or None while all run."""
        return next((child for child in self._started if not child.running), None)

    def named(self, name: str) -> Child:
        """The child that was started last under this name. Raises LookupError."""
        for child in reversed(self._started):
            if child.command.name == name:
                return child
        raise LookupError(f"no child is named {name}")

    def remove(self, child: Child) -> None:
        """Stop `child` and forget it."""
        child.stop()
        self._started.remove(child)

    def stop_sooner(self, child: Child) -> None:
        """Stop `child` before all that have been started until now: it has come to need them."""
        self._started.remove(child)
        self._started.append(child)

    def stop(self) -> None:
        """Stop all, last started first, so that nothing loses what it still needs."""
        while self._started:
            self._started.pop().stop()
