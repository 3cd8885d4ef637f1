"""Owns the running chain: what is accepted, when a block is made, what is undone. Knows no JSON.

Each change is committed to the store before the caller hears of it.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from eth.abc import SignedTransactionAPI

from treasurer.embedded.devchain.admission import check_admissible, read_transaction
from treasurer.embedded.devchain.chain import DevelopmentChain
from treasurer.embedded.devchain.errors import refused
from treasurer.embedded.devchain.mempool import Mempool, Waiting
from treasurer.embedded.devchain.rendering import Header
from treasurer.embedded.devchain.store import ChainStore, Mined
from treasurer.kernel.clock import Clock, epoch_s

FINALITY_LAG = 2
"""`finalized` lies this many blocks behind the head, as the saga's finality rule expects."""

MAX_TRANSACTIONS_A_BLOCK = 100
"""A block is made in one go on the event loop; this keeps other requests waiting under a second."""

EMPTY_BLOCKS_BEFORE_IDLE = 8
IDLE_TICKS_A_BLOCK = 10
"""A chain on which nothing happens slows down: an empty block costs a kilobyte of disk for ever."""

_log = logging.getLogger("devchain")


@dataclass(slots=True)
class _Pace:
    empty_blocks: int = 0
    idle_ticks: int = 0


class Node:
    """One chain, its pool and its pace. Not thread-safe: one event loop owns it."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """Open the chain in `folder`, or begin one there. The caller holds the folder's lock."""
        self._clock = clock
        self.store = ChainStore(folder / "chain.sqlite")
        self.chain = DevelopmentChain(self.store, epoch_s(clock()))
        self.pool = Mempool()
        for arrival, raw in self.store.accepted():
            self.pool.add(Waiting(arrival, self.chain.decode(raw)))
        self._pace = _Pace()
        self._snapshots: dict[int, Header] = {}

    def close(self) -> None:
        self.store.close()

    def send_raw(self, raw: bytes) -> bytes:
        """Accept a signed transaction and return its hash. Raises RpcError when it is refused."""
        transaction = read_transaction(raw, self.chain)
        replaced = check_admissible(transaction, self.chain, self.pool)
        with self.store.commit_together():
            if replaced is not None:
                self.store.forget_accepted([replaced.transaction.hash])
            arrival = self.store.accept(transaction.hash, raw)
        self.pool.add(Waiting(arrival, transaction))
        transaction_hash: bytes = transaction.hash
        return transaction_hash

    def mine(self) -> Header:
        """Make one block of what is ready, now."""
        with self.store.commit_together():
            block = self.chain.append(epoch_s(self._clock()), self._candidates())
            gone = [*(row.hash for row in block.mined), *block.refused]
            self.store.forget_accepted(gone)
        self.chain.moved_to(block.header)
        self.pool.discard(gone)
        for transaction_hash in block.refused:
            _log.warning("transaction dropped: 0x%s", transaction_hash.hex())
        self._pace.empty_blocks = 0 if block.mined else self._pace.empty_blocks + 1
        self._pace.idle_ticks = 0
        return block.header

    def tick(self) -> None:
        """A block time has passed: make a block, unless the chain idles and it is not yet its turn."""
        self._pace.idle_ticks += 1
        idle = self._pace.empty_blocks >= EMPTY_BLOCKS_BEFORE_IDLE and not self.pool
        if not idle or self._pace.idle_ticks >= IDLE_TICKS_A_BLOCK:
            self.mine()

    def _candidates(self) -> Iterator[SignedTransactionAPI]:
        state = self.chain.state(self.chain.head)
        ready = self.pool.ready(state.get_nonce, self.chain.next_base_fee_wei())
        for waiting in islice(ready, MAX_TRANSACTIONS_A_BLOCK):
            yield waiting.transaction

    def finalized(self) -> Header:
        """The last final block: `FINALITY_LAG` behind the head, genesis at the least."""
        found = self.chain.header(max(0, self.chain.head.block_number - FINALITY_LAG))
        assert found is not None
        return found

    def mined_in(self, header: Header) -> list[Mined]:
        return list(self.store.mined_between(header.block_number, header.block_number))

    def snapshot(self) -> int:
        """Remember the head; the number is forgotten by a revert to it or to an earlier one."""
        number = len(self._snapshots) + 1
        self._snapshots[number] = self.chain.head
        return number

    def revert(self, number: int) -> None:
        """Go back to a remembered head, with an empty pool. To an indexer this is a reorganisation."""
        header = self._snapshots.get(number)
        if header is None:
            raise refused(f"snapshot {number} is unknown")
        with self.store.commit_together():
            self.chain.rewind(header)
            self.store.forget_accepted(self.pool.hashes())
        self.chain.moved_to(header)
        self.pool.clear()
        self._snapshots = {n: head for n, head in self._snapshots.items() if n < number}
