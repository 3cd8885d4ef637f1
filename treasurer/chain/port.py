"""Owns the words in which the rest speaks of a chain. Must never name a provider or a library.

Times out, rate limits and server errors of a write are `BroadcastOutcome.UNKNOWN`: after a broadcast
only the chain says what happened.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, Self, TypeAlias

from treasurer.kernel.transaction import UnsignedTransaction

BlockSelector: TypeAlias = int | bytes | Literal["latest", "pending"]
"""A block number; the hash of a canonical block (EIP-1898); the provider's latest block; or that with
what waits in the provider's pool.
"""


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block's identity: the hash, not the number, says whether it is still the same block.

    `timestamp` is in epoch seconds.
    """

    number: int
    hash: bytes
    timestamp: int
    base_fee_wei: int
    parent_hash: bytes


@dataclass(frozen=True, slots=True)
class Log:
    """One event. `address` is lower-case; `log_index` counts within the block."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class PlacedLog:
    """An event with the block and transaction that it stands in."""

    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    log: Log


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one transaction did. `succeeded` proves no transfer: see `tokens.match_items`.

    `rollup_fee_wei` is what a rollup took beside the gas: for its data on the chain below, and for its
    operator. Zero elsewhere.
    """

    transaction_hash: bytes
    block_number: int
    block_hash: bytes
    succeeded: bool
    gas_used: int
    effective_gas_price_wei: int
    logs: tuple[Log, ...]
    rollup_fee_wei: int = 0

    @property
    def fee_wei(self) -> int:
        """All that the sender paid for it, whether it succeeded or not."""
        return self.gas_used * self.effective_gas_price_wei + self.rollup_fee_wei


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """What a holder had of a token at a block's parent and at the block, base units."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class BlockEvidence:
    """What one block did, all of it read at the same block hash.

    `receipts` are those of all its transactions, in order; `balances` is by (token, holder).
    """

    block: BlockRef
    receipts: tuple[Receipt, ...]
    balances: Mapping[tuple[str, str], BalanceChange]


@dataclass(frozen=True, slots=True)
class FeeQuote:
    """The latest block's base fee and a usual tip, wei a unit of gas (EIP-1559)."""

    base_fee_wei: int
    priority_fee_wei: int


class BroadcastOutcome(StrEnum):
    """What a provider said to a raw transaction. Each is a hint; none is proof of anything."""

    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already_known"
    NONCE_TOO_LOW = "nonce_too_low"
    """Look up all own hashes of the slot; never take a new nonce."""
    UNDERPRICED = "underpriced"
    REJECTED = "rejected"
    """This provider refused it for a stated reason. Another may still hold the same bytes."""
    UNKNOWN = "unknown"
    """No usable answer: send the same bytes again, here or elsewhere."""


class Chain(Protocol):
    """One network. Reads raise Transient; `broadcast` and `broadcast_many` never raise.

    Over several providers, what an irreversible step stands on is answered only when two agree:
    `finalized`, `evidence`, `receipts`, `transfer_logs`, nonces and balances at a block; and so are a
    token's `code`, `storage` and `token_decimals`, on which a signature depends. They raise
    ProvidersDisagree when two contradict each other, and Transient while fewer than two answer. All
    else is a hint, asked of one provider after the other.
    """

    async def chain_id(self) -> int:
        """What the provider says it is connected to, asked anew each time."""

    async def genesis_hash(self) -> bytes:
        """Hash of block 0."""

    async def head(self) -> BlockRef:
        """The latest block."""

    async def finalized(self) -> BlockRef:
        """The youngest final block by the network's finality rule; block 0 if there is none yet."""

    async def block(self, number: int) -> BlockRef | None:
        """The canonical block at `number`, None above the head."""

    async def evidence(
        self, number: int, holders: Mapping[str, Collection[str]]
    ) -> BlockEvidence | None:
        """Block `number` with what `holders`, by token, gained or lost in it; None above the head."""

    async def code(self, address: str) -> bytes:
        """Run-time code, empty for an address without any."""

    async def storage(self, address: str, slot: bytes) -> bytes:
        """The 32 bytes that a contract keeps in `slot`; zeros where it keeps nothing."""

    async def token_decimals(self, token: str) -> int:
        """ERC-20 `decimals()`. Raises Permanent if the address does not answer like a token."""

    async def native_balances(
        self, addresses: Sequence[str], block: BlockSelector = "latest"
    ) -> list[int]:
        """Wei, in the order of `addresses`."""

    async def token_balances(
        self, token: str, owners: Sequence[str], block: BlockSelector = "latest"
    ) -> list[int]:
        """Base units, in the order of `owners`."""

    async def token_allowances(
        self, token: str, owners: Sequence[str], spender: str, block: BlockSelector = "latest"
    ) -> list[int]:
        """Base units that `spender` may still move of each of `owners`, in their order."""

    async def transfer_logs(
        self, tokens: Sequence[str], holders: Sequence[str], first: int, last: int
    ) -> tuple[PlacedLog, ...]:
        """`Transfer` events of `tokens` from or to `holders` in the blocks `first` to `last`, in canonical
        order, each once. Over several providers two agree on them where the blocks are final.
        """

    async def nonce(self, address: str, block: BlockSelector = "latest") -> int:
        """How many transactions of `address` are mined: the first free nonce."""

    async def broadcast(self, raw: bytes) -> BroadcastOutcome:
        """Send signed bytes."""

    async def broadcast_many(self, raws: Sequence[bytes]) -> list[BroadcastOutcome]:
        """Send many in order; answers in the same order."""

    async def receipts(self, block_number: int) -> tuple[Receipt, ...] | None:
        """All receipts of one block, all of the same block hash; None above the head.

        An empty block names no hash: what must be tied to a block asks for `evidence`.
        """

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """None if the transaction is not mined as far as this provider knows, which proves nothing."""

    async def receipts_of(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        """`receipt` for many, in order."""

    async def denied(self, transaction_hashes: Sequence[bytes]) -> bool:
        """Whether two providers, or the only one, know of no block that holds any of these.

        For what people decide on an absence. Raises as `evidence` where two do not say the same.
        """

    async def fees(self) -> FeeQuote:
        """Present fees."""

    async def estimate_gas(self, transaction: UnsignedTransaction) -> int:
        """Units of gas. Raises Permanent if the call would revert."""


class OpenChain(Chain, Protocol):
    """A chain with connections to give back."""

    async def close(self) -> None:
        """Close the connections."""

    async def __aenter__(self) -> Self:
        """The chain itself."""

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
