"""The chain after its process ended: the same blocks, and nothing that was acknowledged is lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.embedded import (
    MANUAL,
    JsonRpc,
    address,
    devchain,
    embedded_postgres,
    signed,
    token_transfer,
    wait_for,
)
from treasurer.embedded.devchain.seed import MINTED_MINOR, deploy_test_usd
from treasurer.kernel.errors import Transient


def everything(rpc: JsonRpc) -> list[Any]:
    """All blocks with transactions and receipts, all logs, and balances at each block."""
    seen: list[Any] = []
    for number in range(int(rpc("eth_blockNumber"), 16) + 1):
        tag = hex(number)
        seen.append(rpc("eth_getBlockByNumber", tag, True))
        seen.append(rpc("eth_getBlockReceipts", tag))
        seen.append([rpc("eth_getBalance", address(index), tag) for index in range(10)])
    seen.append(rpc("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"}))
    return seen


def test_restart_answers_the_same_hashes_receipts_and_state(tmp_path: Path) -> None:
    with devchain(tmp_path, block_time_s=MANUAL) as server, JsonRpc(server.url) as rpc:
        token = deploy_test_usd(server.url, mint_to=address(0))
        for n in range(3):
            transfer = token_transfer(0, n, token=token, recipient=address(1), amount_minor=n + 1)
            rpc("eth_sendRawTransaction", transfer[0])
            rpc("evm_mine")
            rpc("evm_mine")
        late, late_hash = signed(4, 0, to=address(5), value_wei=9)
        rpc("eth_sendRawTransaction", late)
        before = everything(rpc)
    with devchain(tmp_path, block_time_s=MANUAL) as server, JsonRpc(server.url) as rpc:
        assert everything(rpc) == before
        assert rpc("eth_getTransactionByHash", late_hash)["blockNumber"] is None
        assert deploy_test_usd(server.url, mint_to=address(0)) == token
        assert rpc("eth_getTransactionReceipt", late_hash)["status"] == "0x1"
        assert everything(rpc)[: len(before) - 1] == before[:-1]
        supply = int(rpc("eth_call", {"to": token, "data": "0x18160ddd"}, "latest"), 16)
        assert supply == MINTED_MINOR


def test_killed_at_any_moment_it_keeps_what_it_said(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    blocks: dict[str, str] = {}
    for run in range(5):
        with devchain(tmp_path, block_time_s=0.02) as server, JsonRpc(server.url) as rpc:
            for number, block_hash in blocks.items():
                assert rpc("eth_getBlockByNumber", number, False)["hash"] == block_hash
            known = rpc.batch([("eth_getTransactionByHash", (h,)) for h in acknowledged] or [EMPTY])
            assert None not in known
            # Another moment of the mining rhythm in each run.
            for _ in range(12 + 7 * run):
                raw, sent = signed(0, len(acknowledged), to=address(1), value_wei=1)
                assert rpc("eth_sendRawTransaction", raw) == sent
                acknowledged.append(sent)
                latest = rpc("eth_getBlockByNumber", "latest", False)
                blocks[latest["number"]] = latest["hash"]
            os.kill(server.child.process.pid, signal.SIGKILL)
            server.child.process.wait()
    with devchain(tmp_path, block_time_s=0.02) as server, JsonRpc(server.url) as rpc:
        wait_for(
            lambda: rpc("eth_getTransactionReceipt", acknowledged[-1]) is not None, "all are mined"
        )
        head = int(rpc("eth_blockNumber"), 16)
        chain = [rpc("eth_getBlockByNumber", hex(number), False) for number in range(head + 1)]
        assert [b["parentHash"] for b in chain[1:]] == [b["hash"] for b in chain[:-1]]
        assert [sent for block in chain for sent in block["transactions"]] == acknowledged
        for number, block_hash in blocks.items():
            assert chain[int(number, 16)]["hash"] == block_hash
        paid = int(rpc("eth_getBalance", address(1), "latest"), 16) - 10_000 * 10**18
        assert paid == len(acknowledged) == 130


EMPTY = ("eth_getBlockByNumber", ("0x0", False))


def test_a_new_chain_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    def genesis(root: Path) -> str:
        with devchain(root, block_time_s=MANUAL) as server, JsonRpc(server.url) as rpc:
            block = rpc("eth_getBlockByNumber", "0x0", False)
            assert int(block["timestamp"], 16) > 1_700_000_000
            return str(block["hash"])

    first = genesis(tmp_path / "first")
    assert genesis(tmp_path / "first") == first
    assert genesis(tmp_path / "second") != first


def test_second_chain_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with devchain(tmp_path, block_time_s=MANUAL):
        second = subprocess.run(
            [
                *(sys.executable, "-m", "treasurer.embedded.devchain", "--port", "0"),
                *("--data", str(tmp_path / "chain"), "--lock-patience-s", "0"),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert second.returncode == 1
    assert second.stderr.startswith("DATA_FOLDER_IN_USE: ")


def test_taken_port_is_reported_in_words(tmp_path: Path) -> None:
    with devchain(tmp_path / "one", block_time_s=MANUAL) as server:
        port = int(server.url.rsplit(":", 1)[1])
        with (
            pytest.raises(Transient, match=f"port {port} of 127.0.0.1 is taken") as caught,
            devchain(tmp_path / "two", port=port),
        ):
            pass
    assert caught.value.code == "CHILD_EXITED"


def test_killed_supervisor_takes_all_down_and_the_next_finds_all_again(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.embedded", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as supervisor:
        assert supervisor.stdout is not None
        postgres_url, _, chain_url = supervisor.stdout.readline().split()
        with psycopg.connect(postgres_url) as connection:
            connection.execute("create table notes as select 'kept' as text")
        with JsonRpc(chain_url) as rpc:
            deploy_test_usd(chain_url, mint_to=address(0))
            before = rpc("eth_getBlockByNumber", "latest", True)
        supervisor.kill()
    # At once, while the orphans may still be on their way out.
    with embedded_postgres(tmp_path) as postgres, psycopg.connect(postgres.dsn) as connection:
        assert connection.execute("select text from notes").fetchall() == [("kept",)]
        assert postgres.dsn == postgres_url
    with devchain(tmp_path, block_time_s=MANUAL) as server, JsonRpc(server.url) as rpc:
        assert rpc("eth_getBlockByNumber", before["number"], True) == before
