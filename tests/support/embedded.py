"""Owns throw-away servers for tests: PostgreSQL, Valkey, development chain. Plain context managers.

Start them from the main thread (the parent-death signal follows the starting thread). Run as a module
it is a supervisor to be killed: `python -m tests.support.embedded FOLDER`.
"""

import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from eth_account import Account
from eth_utils.address import to_checksum_address

from treasurer.embedded.devchain.accounts import CHAIN_ID, development_account
from treasurer.embedded.devchain.launch import (
    DevelopmentChainServer,
    await_devchain,
    spawn_devchain,
)
from treasurer.embedded.directory import DataFolder, lock_folder, open_data_folder
from treasurer.embedded.postgres import PostgresServer, start_postgres
from treasurer.embedded.processes import Children
from treasurer.embedded.valkey import ValkeyServer, start_valkey
from treasurer.kernel.calldata import transfer_calldata

GWEI = 10**9
FAST_BLOCK_TIME_S = 0.1
MANUAL = 0.0
"""As `block_time_s`: blocks are made by `evm_mine` only."""


@contextmanager
def temporary_folder(root: Path | None = None) -> Iterator[DataFolder]:
    """A locked data folder at `root`, or at a fresh place that is removed afterwards."""
    if root is not None:
        folder = open_data_folder(root)
        with lock_folder(folder.root):
            yield folder
        return
    with tempfile.TemporaryDirectory(prefix="treasurer-test-") as fresh:
        folder = open_data_folder(Path(fresh))
        with lock_folder(folder.root):
            yield folder


def remove_outside(folder: DataFolder, sockets: Path) -> None:
    """Sockets of deep folders lie in the system's temporary folder, where nothing else removes them."""
    if not sockets.is_relative_to(folder.root):
        with suppress(OSError):
            sockets.rmdir()


@contextmanager
def embedded_postgres(root: Path | None = None) -> Iterator[PostgresServer]:
    """A private PostgreSQL; `.dsn` is the superuser's. Fresh data unless `root` is given."""
    with temporary_folder(root) as folder:
        with Children() as children:
            server = start_postgres(folder, children)
            yield server
        remove_outside(folder, server.socket_folder)


@contextmanager
def embedded_valkey(root: Path | None = None) -> Iterator[ValkeyServer]:
    """A private Valkey; `.url` for redis-py."""
    with temporary_folder(root) as folder:
        with Children() as children:
            server = start_valkey(folder, children)
            yield server
        remove_outside(folder, server.socket.parent)


@contextmanager
def devchain(
    root: Path | None = None, *, block_time_s: float = FAST_BLOCK_TIME_S, port: int = 0
) -> Iterator[DevelopmentChainServer]:
    """A development chain; `.url` speaks JSON-RPC. `block_time_s=MANUAL` mines on `evm_mine` only."""
    with temporary_folder(root) as folder, Children() as children:
        child = spawn_devchain(folder, children, port=port, block_time_s=block_time_s)
        yield await_devchain(folder, child)


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 15.0) -> None:
    """Return once `condition()`; fail with `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.01)


class RpcRefusal(Exception):
    """A JSON-RPC error answer."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: str | None = error.get("data")


class JsonRpc:
    """A plain JSON-RPC client for tests, so that they see the wire and not a library's reading."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30)
        self._ids = itertools.count(1)

    def __enter__(self) -> "JsonRpc":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def post(self, body: Any) -> Any:
        return self._http.post("", json=body).raise_for_status().json()

    def __call__(self, method: str, *params: Any) -> Any:
        answer = self.post(self._request(method, params))
        if "error" in answer:
            raise RpcRefusal(answer["error"])
        return answer["result"]

    def batch(self, calls: Sequence[tuple[str, tuple[Any, ...]]]) -> list[Any]:
        """Answers in the order of `calls`; an error stands as its RpcRefusal."""
        answers = self.post([self._request(method, params) for method, params in calls])
        return [
            RpcRefusal(answer["error"]) if "error" in answer else answer["result"]
            for answer in answers
        ]

    def _request(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}


def address(index: int) -> str:
    """Lower-case address of a development account."""
    return development_account(index).address.lower()


def signed(
    sender: int,
    nonce: int,
    *,
    to: str | None,
    value_wei: int = 0,
    data: bytes = b"",
    gas: int = 100_000,
    max_fee_wei: int = 10 * GWEI,
    tip_wei: int = GWEI,
    chain_id: int = CHAIN_ID,
) -> tuple[str, str]:
    """(raw bytes, hash) as 0x hex of an EIP-1559 transaction by development account `sender`."""
    terms: dict[str, Any] = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "gas": gas,
        "maxFeePerGas": max_fee_wei,
        "maxPriorityFeePerGas": tip_wei,
        "value": value_wei,
        "data": data,
    }
    if to is not None:
        terms["to"] = to_checksum_address(to)
    made = Account.from_key(development_account(sender).key).sign_transaction(terms)
    return "0x" + made.raw_transaction.hex(), "0x" + made.hash.hex()


def token_transfer(
    sender: int, nonce: int, *, token: str, recipient: str, amount_minor: int, **terms: Any
) -> tuple[str, str]:
    """As `signed`, for an ERC-20 `transfer`."""
    return signed(sender, nonce, to=token, data=transfer_calldata(recipient, amount_minor), **terms)


def supervise_until_killed(root: Path) -> None:
    """Start all three in `root`, print their addresses, and do nothing until killed."""
    with temporary_folder(root) as folder, Children() as children:
        chain = spawn_devchain(folder, children, block_time_s=FAST_BLOCK_TIME_S)
        valkey = start_valkey(folder, children)
        postgres = start_postgres(folder, children)
        print(postgres.dsn, valkey.url, await_devchain(folder, chain).url, flush=True)
        while children.ended() is None:
            time.sleep(0.05)


if __name__ == "__main__":
    supervise_until_killed(Path(sys.argv[1]))
