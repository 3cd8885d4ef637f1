"""A small chain in memory: mempool, nonces, replacement, blocks on demand, reverts, reorganisations.

It is a node for the fault laboratory, as strict as geth where the saga could notice: one transaction a
nonce, replacement by 10 % on both fees, a fee cap below the base fee waits, `finalized` lags behind
the head. Everything stands in snapshots a block, so that a reorganisation is taking some away.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from treasurer.chain.port import BlockRef, BroadcastOutcome, Log, Receipt
from treasurer.chain.signed_transaction import SignedTransaction, read_signed
from treasurer.chain.tokens import TRANSFER_TOPIC
from treasurer.kernel.digest import digest

CHAIN_ID = 31337
TOKEN = "0x" + "5f" * 20
DISPERSE = "0x" + "d1" * 20
GWEI = 10**9
TRANSFER_GAS = 51_156
CANCEL_GAS = 21_000
BLOCK_TIME_S = 12


@dataclass
class State:
    """Balances, nonces and what the contracts keep, after one block."""

    tokens: dict[str, int] = field(default_factory=dict)
    native: dict[str, int] = field(default_factory=dict)
    nonces: dict[str, int] = field(default_factory=dict)
    allowed: dict[str, int] = field(default_factory=dict)
    """What the disperse contract may still move, by owner."""
    dispersed: frozenset[tuple[str, bytes]] = frozenset()
    """Sender and id of each batch that was paid."""

    def copy(self) -> "State":
        return State(
            dict(self.tokens),
            dict(self.native),
            dict(self.nonces),
            dict(self.allowed),
            self.dispersed,
        )


@dataclass(frozen=True)
class Block:
    """A block with what it did."""

    ref: BlockRef
    raws: tuple[bytes, ...]
    receipts: tuple[Receipt, ...]
    state: State


class Node:
    """`blocked` recipients make the token revert; `base_fee_wei` may be raised to hold payments back. A
    rollup takes `rollup_fee_wei` a transaction beside its gas.
    """

    def __init__(self, *, finality_lag: int = 2, rollup_fee_wei: int = 0) -> None:
        self.finality_lag = finality_lag
        self.rollup_fee_wei = rollup_fee_wei
        self.base_fee_wei = GWEI
        self.blocked: set[str] = set()
        self.pool: dict[tuple[str, int], tuple[SignedTransaction, bytes]] = {}
        self.seen: dict[bytes, bytes] = {}
        """All bytes that were ever accepted, by hash."""
        self._forks = 0
        self.blocks = [Block(BlockRef(0, digest(b"genesis"), 0, GWEI, bytes(32)), (), (), State())]

    @property
    def state(self) -> State:
        return self.blocks[-1].state

    @property
    def finalized(self) -> Block:
        return self.blocks[max(0, len(self.blocks) - 1 - self.finality_lag)]

    def fund(self, address: str, *, token_minor: int, native_wei: int) -> None:
        """Gifts of the genesis, before the first block that matters."""
        self.state.tokens[address] = token_minor
        self.state.native[address] = native_wei
        self.state.allowed[address] = token_minor

    def give(self, address: str, wei: int) -> None:
        """Coins from somebody, in the newest block; no log tells of them."""
        self.state.native[address] = self.state.native.get(address, 0) + wei

    def send(self, raw: bytes) -> BroadcastOutcome:
        """Take signed bytes into the mempool, or say why not."""
        try:
            read = read_signed(raw)
        except ValueError:
            return BroadcastOutcome.REJECTED
        call = read.call
        if call.chain_id != CHAIN_ID:
            return BroadcastOutcome.REJECTED
        slot = (call.sender, call.nonce)
        waiting = self.pool.get(slot)
        if waiting is not None and waiting[0].transaction_hash == read.transaction_hash:
            return BroadcastOutcome.ALREADY_KNOWN
        if call.nonce < self.state.nonces.get(call.sender, 0):
            return BroadcastOutcome.NONCE_TOO_LOW
        if waiting is not None and not _outbids(read, waiting[0]):
            return BroadcastOutcome.UNDERPRICED
        cost = call.fees.gas_limit * call.fees.max_fee_per_gas_wei + call.value_wei
        if cost > self.state.native.get(call.sender, 0):
            return BroadcastOutcome.REJECTED
        self.pool[slot] = (read, raw)
        self.seen[read.transaction_hash] = raw
        return BroadcastOutcome.ACCEPTED

    def mine(self, *, without: Collection[str] = ()) -> Block:
        """One block of everything that can go in, but for the senders in `without`."""
        return self._add([raw for _, raw in self._executable(without)])

    def reorganise(self, depth: int, competing: Sequence[bytes] = (), *, keep: bool = True) -> None:
        """Replace the last `depth` blocks by as many and one more. Their transactions go back to the
        mempool if `keep`, else they are forgotten; `competing` bytes come first.
        """
        depth = min(depth, len(self.blocks) - 1)
        orphans = [raw for block in self.blocks[len(self.blocks) - depth :] for raw in block.raws]
        del self.blocks[len(self.blocks) - depth :]
        self._forks += 1
        for raw in competing:
            read = read_signed(raw)
            self.pool[(read.call.sender, read.call.nonce)] = (read, raw)
            self.seen[read.transaction_hash] = raw
        if keep:
            for raw in orphans:
                read = read_signed(raw)
                self.pool.setdefault((read.call.sender, read.call.nonce), (read, raw))
        chosen = {read_signed(raw).transaction_hash for raw in competing}
        first = [raw for read, raw in self._executable(()) if read.transaction_hash in chosen]
        self._add(first)
        for _ in range(depth):
            self._add([])

    def pending_nonce(self, sender: str) -> int:
        """The first nonce that nothing mined or waiting uses, without a gap before it."""
        nonce = self.state.nonces.get(sender, 0)
        while (sender, nonce) in self.pool:
            nonce += 1
        return nonce

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        for block in reversed(self.blocks):
            for receipt in block.receipts:
                if receipt.transaction_hash == transaction_hash:
                    return receipt
        return None

    def _executable(self, without: Collection[str]) -> list[tuple[SignedTransaction, bytes]]:
        nonces = dict(self.state.nonces)
        ready = []
        for (sender, nonce), (read, raw) in sorted(self.pool.items()):
            affordable = read.call.fees.max_fee_per_gas_wei >= self.base_fee_wei
            if sender not in without and affordable and nonces.get(sender, 0) == nonce:
                nonces[sender] = nonce + 1
                ready.append((read, raw))
        return ready

    def _add(self, raws: Sequence[bytes]) -> Block:
        parent = self.blocks[-1]
        number = parent.ref.number + 1
        content = parent.ref.hash + number.to_bytes(8) + self._forks.to_bytes(8) + b"".join(raws)
        ref = BlockRef(
            number, digest(content), number * BLOCK_TIME_S, self.base_fee_wei, parent.ref.hash
        )
        state = parent.state.copy()
        receipts: list[Receipt] = []
        for raw in raws:
            logs = sum(len(receipt.logs) for receipt in receipts)
            receipts.append(self._execute(read_signed(raw), state, ref, logs))
        block = Block(ref, tuple(raws), tuple(receipts), state)
        self.blocks.append(block)
        for sender, nonce in list(self.pool):
            if nonce < state.nonces.get(sender, 0):
                del self.pool[sender, nonce]
        return block

    def _execute(
        self, read: SignedTransaction, state: State, block: BlockRef, log_index: int
    ) -> Receipt:
        call = read.call
        tip = min(
            call.fees.max_priority_fee_per_gas_wei,
            call.fees.max_fee_per_gas_wei - block.base_fee_wei,
        )
        receipt = Receipt(
            read.transaction_hash,
            block.number,
            block.hash,
            True,
            TRANSFER_GAS if call.data else CANCEL_GAS,
            block.base_fee_wei + tip,
            (),
            self.rollup_fee_wei,
        )
        state.nonces[call.sender] = call.nonce + 1
        receipt = self._run(read, state, receipt, log_index)
        gas_wei = receipt.gas_used * receipt.effective_gas_price_wei
        state.native[call.sender] -= gas_wei + self.rollup_fee_wei
        return receipt

    def _run(
        self, read: SignedTransaction, state: State, receipt: Receipt, log_index: int
    ) -> Receipt:
        """What the call does, but for its gas."""
        call = read.call
        if call.value_wei:
            state.native[call.sender] -= call.value_wei
            state.native[call.to] = state.native.get(call.to, 0) + call.value_wei
        if call.to == DISPERSE:
            return self._disperse(read, state, receipt, log_index)
        if not call.data or call.to != TOKEN:
            return receipt
        recipient = "0x" + call.data[16:36].hex()
        return self._pay(
            call.sender, [(recipient, int.from_bytes(call.data[36:68]))], state, receipt, log_index
        )

    def _disperse(
        self, read: SignedTransaction, state: State, receipt: Receipt, log_index: int
    ) -> Receipt:
        """As contracts/Disperse.vy: all or none, a batch id once for a sender."""
        call = read.call
        words = [call.data[at : at + 32] for at in range(4, len(call.data), 32)]
        count = int.from_bytes(words[4])
        paid = [
            ("0x" + to[12:].hex(), int.from_bytes(amount))
            for to, amount in zip(words[5 : 5 + count], words[6 + count :], strict=True)
        ]
        receipt = replace(receipt, gas_used=CANCEL_GAS + count * (TRANSFER_GAS - CANCEL_GAS))
        batch, most = (call.sender, words[1]), state.allowed.get(call.sender, 0)
        total = sum(amount for _, amount in paid)
        if batch in state.dispersed or total > most:
            return replace(receipt, succeeded=False)
        receipt = self._pay(call.sender, paid, state, receipt, log_index)
        if receipt.succeeded:
            state.dispersed |= {batch}
            state.allowed[call.sender] = most - total
        return receipt

    def _pay(
        self,
        sender: str,
        paid: Sequence[tuple[str, int]],
        state: State,
        receipt: Receipt,
        log_index: int,
    ) -> Receipt:
        """The token's part: one log a payment, or a revert of all."""
        total = sum(amount for _, amount in paid)
        if {to for to, _ in paid} & self.blocked or state.tokens.get(sender, 0) < total:
            return replace(receipt, succeeded=False)
        logs = []
        for index, (to, amount) in enumerate(paid, start=log_index):
            state.tokens[sender] -= amount
            state.tokens[to] = state.tokens.get(to, 0) + amount
            topics = (TRANSFER_TOPIC, _topic(sender), _topic(to))
            logs.append(Log(TOKEN, topics, amount.to_bytes(32), index))
        return replace(receipt, logs=tuple(logs))


def _outbids(new: SignedTransaction, old: SignedTransaction) -> bool:
    pairs = (
        (new.call.fees.max_fee_per_gas_wei, old.call.fees.max_fee_per_gas_wei),
        (new.call.fees.max_priority_fee_per_gas_wei, old.call.fees.max_priority_fee_per_gas_wei),
    )
    return all(10 * ours >= 11 * theirs for ours, theirs in pairs)


def _topic(address: str) -> bytes:
    return bytes.fromhex(address[2:]).rjust(32, b"\0")
