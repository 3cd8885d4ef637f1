"""Owns the transactions that wait for a block, a queue a sender. Must never touch state or disk.

eth-tester has none of this: it holds one pending transaction a sender, and mines a wrong chain's.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from eth.abc import SignedTransactionAPI
from eth_typing import Address

from treasurer.embedded.devchain.errors import refused

MAX_WAITING = 4096
REPLACEMENT_PERCENT = 110
"""Both fees of a replacement reach this share of the replaced ones; geth's default price bump."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An accepted transaction. `arrival` grows with each acceptance."""

    arrival: int
    transaction: SignedTransactionAPI

    @property
    def cost_wei(self) -> int:
        """The most that it can take from its sender."""
        return int(self.transaction.gas * self.transaction.max_fee_per_gas + self.transaction.value)


class Mempool:
    """What waits, by sender and nonce. Senders are 20 bytes, hashes 32."""

    def __init__(self) -> None:
        self._queues: dict[Address, dict[int, Waiting]] = {}
        self._by_hash: dict[bytes, Waiting] = {}

    def __len__(self) -> int:
        return len(self._by_hash)

    def get(self, transaction_hash: bytes) -> Waiting | None:
        return self._by_hash.get(transaction_hash)

    def hashes(self) -> list[bytes]:
        return list(self._by_hash)

    def check_room(self, transaction: SignedTransactionAPI) -> Waiting | None:
        """Raise unless `transaction` may enter; return the one that it would replace."""
        present = self._queues.get(transaction.sender, {}).get(transaction.nonce)
        if present is None:
            if len(self._by_hash) >= MAX_WAITING:
                raise refused("txpool is full")
            return None
        old = present.transaction
        if (
            transaction.max_fee_per_gas * 100 < old.max_fee_per_gas * REPLACEMENT_PERCENT
            or transaction.max_priority_fee_per_gas * 100
            < old.max_priority_fee_per_gas * REPLACEMENT_PERCENT
        ):
            raise refused("replacement transaction underpriced")
        return present

    def add(self, waiting: Waiting) -> None:
        """Take in a transaction that `check_room` let pass, in place of one of the same nonce."""
        transaction = waiting.transaction
        queue = self._queues.setdefault(transaction.sender, {})
        replaced = queue.get(transaction.nonce)
        if replaced is not None:
            del self._by_hash[replaced.transaction.hash]
        queue[transaction.nonce] = waiting
        self._by_hash[transaction.hash] = waiting

    def discard(self, hashes: Iterable[bytes]) -> None:
        for transaction_hash in hashes:
            waiting = self._by_hash.pop(transaction_hash, None)
            if waiting is None:
                continue
            queue = self._queues[waiting.transaction.sender]
            del queue[waiting.transaction.nonce]
            if not queue:
                del self._queues[waiting.transaction.sender]

    def clear(self) -> None:
        self._queues.clear()
        self._by_hash.clear()

    def next_nonce(self, sender: Address, state_nonce: int) -> int:
        """The first nonce that neither the state nor a gapless run of waiting ones has taken."""
        queue = self._queues.get(sender, {})
        while state_nonce in queue:
            state_nonce += 1
        return state_nonce

    def queued_cost_wei(self, sender: Address) -> int:
        """The most that all waiting transactions of `sender` can take from it."""
        return sum(waiting.cost_wei for waiting in self._queues.get(sender, {}).values())

    def ready(self, state_nonce: Callable[[Address], int], base_fee_wei: int) -> Iterator[Waiting]:
        """What can be mined now: by arrival between senders, by nonce within one, up to a gap.

        One whose fee cap lies below the base fee waits, and those behind it wait with it.
        """
        heads = [
            (waiting.arrival, waiting)
            for sender, queue in self._queues.items()
            if (waiting := queue.get(state_nonce(sender))) is not None
        ]
        heapq.heapify(heads)
        while heads:
            _, waiting = heapq.heappop(heads)
            transaction = waiting.transaction
            if transaction.max_fee_per_gas < base_fee_wei:
                continue
            yield waiting
            follower = self._queues[transaction.sender].get(transaction.nonce + 1)
            if follower is not None:
                heapq.heappush(heads, (follower.arrival, follower))
