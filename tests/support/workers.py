"""Real worker processes on a running installation, to be killed and stopped at named points."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from treasurer.cli.installation import Installation, await_file
from treasurer.embedded.processes import Child

_NUMBERS = count(1)


class Worker:
    """One `treasurer worker`, optionally armed with a failpoint."""

    def __init__(self, installation: Installation, failpoint: str = "") -> None:
        number = next(_NUMBERS)
        self._ready = installation.folder.root / f"worker-{number}.ready"
        armed = Installation(
            installation.folder,
            installation.children,
            installation.settings.model_copy(update={"treasurer_failpoint": failpoint}),
            installation.urls,
        )
        self.child: Child = armed.run(
            f"worker-{number}", "treasurer.cli", "worker", "--ready-file", str(self._ready)
        )
        self._children = installation.children

    def await_ready(self) -> "Worker":
        await_file(self.child, self._ready)
        return self

    @property
    def killed(self) -> bool:
        return self.child.process.poll() == -signal.SIGKILL

    @property
    def is_stopped(self) -> bool:
        """Whether the kernel holds it (state T), as after SIGSTOP."""
        stat = Path(f"/proc/{self.child.process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def resume(self) -> None:
        self.child.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        if self.child.running and self.is_stopped:
            self.resume()
        self._children.remove(self.child)


@contextmanager
def worker(installation: Installation, failpoint: str = "") -> Iterator[Worker]:
    """A worker that is gone afterwards, however it ended."""
    started = Worker(installation, failpoint)
    try:
        yield started
    finally:
        started.end()
