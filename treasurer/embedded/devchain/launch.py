"""Owns the start of the chain as a child process. Imports nothing of the EVM, so it costs nothing."""

import sys
from dataclasses import dataclass

from treasurer.embedded.directory import DataFolder
from treasurer.embedded.processes import Child, Children, Command

START_TIMEOUT_S = 30.0
URL_FILE = "rpc.url"
"""The server writes it in its folder once it listens."""


@dataclass(frozen=True, slots=True)
class DevelopmentChainServer:
    """A running chain; `url` speaks JSON-RPC by HTTP on loopback."""

    child: Child
    url: str


def spawn_devchain(
    folder: DataFolder, children: Children, *, port: int = 0, block_time_s: float = 1.0
) -> Child:
    """Start the chain of `folder` without waiting for it; `devchain_url` tells when it is ready."""
    data = folder.part("chain")
    (data / URL_FILE).unlink(missing_ok=True)
    return children.start(
        Command(
            name="devchain",
            arguments=(
                *(sys.executable, "-m", "treasurer.embedded.devchain"),
                *("--port", str(port), "--data", str(data), "--block-time-s", str(block_time_s)),
            ),
            log=folder.log("devchain"),
        )
    )


def await_devchain(folder: DataFolder, child: Child) -> DevelopmentChainServer:
    """Wait until the chain that `spawn_devchain` started answers."""
    published = folder.root / "chain" / URL_FILE
    child.wait_until(published.exists, START_TIMEOUT_S)
    return DevelopmentChainServer(child, published.read_text(encoding="ascii").strip())
