"""Owns anvil for tests and bench: where its binary lies, how it is started. `make anvil` installs it."""

import platform
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.support.sources import ROOT

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
# The package's own `anvil` is a script for Node; the binary lies in the package of the platform.
_INSTALLED = (
    ROOT
    / ".anvil/node_modules/@foundry-rs"
    / f"anvil-{platform.system().lower()}-{_MACHINES.get(platform.machine(), platform.machine())}"
    / "bin/anvil"
)
ANVIL = str(_INSTALLED) if _INSTALLED.exists() else shutil.which("anvil")


@contextmanager
def anvil(*options: str) -> Iterator[str]:
    """A fresh anvil on loopback; yields its URL. It mines by `evm_mine` only and its `finalized`
    lies two blocks behind the head; `options` follow these.
    """
    assert ANVIL is not None, "mark the test with needs_anvil"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fixed = ("--port", str(port), "--no-mining", "--slots-in-an-epoch", "1", "--silent")
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([ANVIL, *fixed, *options], cwd=folder)
        try:
            _await_listening(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait(10)


def _await_listening(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 15
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        assert process.poll() is None, "anvil ended"
        assert time.monotonic() < deadline, "anvil does not listen"
        time.sleep(0.02)
