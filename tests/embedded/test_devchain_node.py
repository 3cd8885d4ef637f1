"""The node's own rules, asked directly: pace, block time, what is left out of a block."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.embedded import GWEI, address, signed
from treasurer.embedded.devchain.node import (
    EMPTY_BLOCKS_BEFORE_IDLE,
    IDLE_TICKS_A_BLOCK,
    MAX_TRANSACTIONS_A_BLOCK,
    Node,
)
from treasurer.kernel.errors import InvariantViolated

ETHER = 10**18


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def node(tmp_path: Path, watch: Watch) -> Iterator[Node]:
    made = Node(tmp_path, watch)
    yield made
    made.close()


def send(node: Node, sender: int, nonce: int, **terms: object) -> bytes:
    raw, _ = signed(sender, nonce, **{"to": address(5), "value_wei": 1, **terms})  # type: ignore[arg-type]
    return node.send_raw(bytes.fromhex(raw[2:]))


def mined_hashes(node: Node) -> list[bytes]:
    return [row.hash for row in node.mined_in(node.chain.head)]


def test_idle_chain_slows_down_and_wakes_with_the_next_transaction(node: Node) -> None:
    for _ in range(EMPTY_BLOCKS_BEFORE_IDLE):
        node.tick()
    assert node.chain.head.block_number == EMPTY_BLOCKS_BEFORE_IDLE
    for _ in range(3 * IDLE_TICKS_A_BLOCK):
        node.tick()
    assert node.chain.head.block_number == EMPTY_BLOCKS_BEFORE_IDLE + 3
    sent = send(node, 0, 0)
    node.tick()
    assert mined_hashes(node) == [sent]
    for _ in range(EMPTY_BLOCKS_BEFORE_IDLE):
        node.tick()
    assert node.chain.head.block_number == 2 * EMPTY_BLOCKS_BEFORE_IDLE + 4


def test_block_time_follows_the_clock_and_never_turns_back(node: Node, watch: Watch) -> None:
    start = node.chain.head.timestamp
    assert start == int(watch.now.timestamp())
    assert [node.mine().timestamp for _ in range(3)] == [start, start, start]
    watch.advance(7)
    assert node.mine().timestamp == start + 7
    watch.advance(-100)
    assert node.mine().timestamp == start + 7


def test_block_takes_a_bounded_number_and_the_next_the_rest(node: Node) -> None:
    sent = [send(node, 0, nonce, gas=21_000) for nonce in range(MAX_TRANSACTIONS_A_BLOCK + 3)]
    node.mine()
    assert mined_hashes(node) == sent[:MAX_TRANSACTIONS_A_BLOCK]
    node.mine()
    assert mined_hashes(node) == sent[MAX_TRANSACTIONS_A_BLOCK:]
    assert len(node.pool) == 0


def test_what_exceeds_the_block_gas_waits_for_the_next(node: Node) -> None:
    greedy = [send(node, sender, 0, gas=29_990_000) for sender in (0, 1)]
    small = send(node, 2, 0)
    node.mine()
    assert mined_hashes(node) == [greedy[0], small]
    node.mine()
    assert mined_hashes(node) == [greedy[1]]


def test_senders_take_turns_by_arrival_and_nonces_keep_their_order(node: Node) -> None:
    second = send(node, 0, 1)
    other = send(node, 1, 0)
    first = send(node, 0, 0)
    node.mine()
    assert mined_hashes(node) == [other, first, second]


def test_fee_below_the_base_fee_waits(node: Node) -> None:
    base_fee_wei = node.chain.next_base_fee_wei()
    cheap = send(node, 0, 0, max_fee_wei=base_fee_wei // 2, tip_wei=0)
    behind = send(node, 0, 1)
    node.mine()
    assert mined_hashes(node) == []
    while node.chain.next_base_fee_wei() > base_fee_wei // 2:
        node.mine()
    node.mine()
    assert mined_hashes(node) == [cheap, behind]


def test_queued_cost_counts_against_the_balance(node: Node) -> None:
    send(node, 0, 0, value_wei=6_000 * ETHER)
    with pytest.raises(Exception, match=r"insufficient funds .* queued cost 6000"):
        send(node, 0, 1, value_wei=4_000 * ETHER)
    replacing = send(node, 0, 0, value_wei=9_000 * ETHER, max_fee_wei=20 * GWEI, tip_wei=2 * GWEI)
    node.mine()
    assert mined_hashes(node) == [replacing]


def test_pool_survives_reopening_with_replacements_applied(tmp_path: Path, watch: Watch) -> None:
    first = Node(tmp_path, watch)
    send(first, 0, 0)
    kept = send(first, 0, 0, max_fee_wei=20 * GWEI, tip_wei=2 * GWEI)
    other = send(first, 1, 0)
    first.close()
    second = Node(tmp_path, watch)
    second.mine()
    assert mined_hashes(second) == [kept, other]
    second.close()
    third = Node(tmp_path, watch)
    assert len(third.pool) == 0
    assert mined_hashes(third) == [kept, other]
    third.close()


def test_failed_commit_leaves_head_pool_and_store_as_they_were(node: Node, watch: Watch) -> None:
    sent = send(node, 0, 0)
    head = node.chain.head
    with pytest.raises(ZeroDivisionError), node.store.commit_together():
        node.chain.append(0, [node.pool.get(sent).transaction])  # type: ignore[union-attr]
        raise ZeroDivisionError
    assert node.chain.head == head
    assert node.store.mined(sent) is None
    node.mine()
    assert mined_hashes(node) == [sent]
    assert node.chain.head.block_number == 1


def test_what_is_left_out_of_py_evm_lies_at_no_address_of_the_fork_that_is_run() -> None:
    # Imported here: the chain has to be before any part of `eth`.
    from eth.precompiles import bls12_g1_add
    from eth.vm.forks.cancun.computation import CancunComputation

    contracts = CancunComputation.get_precompiles()
    assert {int.from_bytes(address) for address in contracts} == set(range(1, 11))
    assert bls12_g1_add not in contracts.values()
    with pytest.raises(InvariantViolated) as refused:
        bls12_g1_add(None)
    assert refused.value.code == "DEVCHAIN_FORK"
