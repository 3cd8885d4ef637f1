"""Nodes for chain tests: the development chain, anvil where it is installed, and a faulty loopback.

`LAUNCHERS` names the nodes that the contract suites run on; each is a context manager of its URL.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.support.anvil import ANVIL, anvil
from tests.support.embedded import MANUAL, JsonRpc, devchain
from treasurer.chain.networks import NetworkProfile, load_profile, shipped_profile
from treasurer.embedded.devchain.seed import test_usd_address as usd_address

needs_anvil = pytest.mark.skipif(ANVIL is None, reason="no anvil: run `make anvil` (needs npm)")
Launcher = Callable[[], contextlib.AbstractContextManager[str]]


@contextlib.contextmanager
def _development_chain() -> Iterator[str]:
    with devchain(block_time_s=MANUAL) as server:
        yield server.url


LAUNCHERS: dict[str, Launcher] = {"devchain": _development_chain, "anvil": anvil}
NODES = ("devchain", pytest.param("anvil", marks=needs_anvil))
"""Parameters for a fixture that starts `LAUNCHERS[request.param]()`."""


def development_profile() -> NetworkProfile:
    """The shipped profile with the test token's address."""
    return load_profile(shipped_profile("development"), token_addresses={"USDC": usd_address()})


def mine(url: str, blocks: int = 1) -> None:
    """Make blocks by hand."""
    with JsonRpc(url) as rpc:
        for _ in range(blocks):
            rpc("evm_mine")


def block_answer(number: int, **fields: Any) -> dict[str, Any]:
    """An empty block as a node sends it; its hash is its number unless `fields` say otherwise."""
    return {
        "number": hex(number),
        "hash": f"0x{number:064x}",
        "parentHash": f"0x{max(0, number - 1):064x}",
        "timestamp": "0x1",
        "baseFeePerGas": "0x7",
        "transactions": [],
        **fields,
    }


def receipt_answer(number: int, digest: str, block_hash: str | None = None) -> dict[str, Any]:
    """A receipt without logs as a node sends it."""
    return {
        "transactionHash": digest,
        "blockNumber": hex(number),
        "blockHash": block_hash or f"0x{number:064x}",
        "status": "0x1",
        "gasUsed": "0x5208",
        "effectiveGasPrice": "0x8",
        "logs": [],
    }


class FaultyNode:
    """A loopback JSON-RPC server that answers by rule, to show what each fault becomes.

    `answer` maps a method to its result, or to a function of the parameters. `status`, `headers`,
    `body`, `silent`, `hangs_up` and `renumber` (of an answer's id) spoil every answer; `requests`
    keeps what was asked.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.errors: dict[str, dict[str, Any]] = {}
        self.status = 200
        self.body: bytes | None = None
        self.headers: dict[str, str] = {}
        self.silent = False
        self.hangs_up = False
        self.renumber: Callable[[int], Any] = lambda identity: identity
        self.requests: list[Any] = []
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "FaultyNode":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def reply(self, request: Any) -> bytes:
        """The body for one request or a batch."""
        self.requests.append(request)
        if self.silent:
            self._released.wait(30)
        if self.body is not None:
            return self.body
        if isinstance(request, list):
            # Out of order on purpose: JSON-RPC 2.0 permits it.
            return json.dumps([self._one(entry) for entry in reversed(request)]).encode()
        return json.dumps(self._one(request)).encode()

    def _one(self, request: dict[str, Any]) -> dict[str, Any]:
        head = {"jsonrpc": "2.0", "id": self.renumber(request["id"])}
        method = request["method"]
        if method in self.errors:
            return {**head, "error": self.errors[method]}
        if method not in self.answers:
            return {**head, "error": {"code": -32601, "message": f"{method} does not exist"}}
        answer = self.answers[method]
        return {**head, "result": answer(*request["params"]) if callable(answer) else answer}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = node.reply(json.loads(self.rfile.read(length)))
                if node.hangs_up:
                    self.close_connection = True
                    return
                with contextlib.suppress(OSError):
                    self.send_response(node.status)
                    for name, value in node.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Silent."""

        return Handler
