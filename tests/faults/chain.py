"""The chain port over the laboratory's node, honest and at once. Faults are put around it."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from tests.faults.node import CHAIN_ID, DISPERSE, GWEI, TOKEN, TRANSFER_GAS, Block, Node
from treasurer.chain.port import (
    BalanceChange,
    BlockEvidence,
    BlockRef,
    BlockSelector,
    BroadcastOutcome,
    FeeQuote,
    Receipt,
)
from treasurer.kernel.transaction import UnsignedTransaction


class NodeChain:
    """`Chain` of one node. Each call gives way once, so that workers interleave."""

    def __init__(self, node: Node) -> None:
        self.node = node

    async def chain_id(self) -> int:
        return CHAIN_ID

    async def genesis_hash(self) -> bytes:
        return self.node.blocks[0].ref.hash

    async def head(self) -> BlockRef:
        await asyncio.sleep(0)
        return self.node.blocks[-1].ref

    async def finalized(self) -> BlockRef:
        await asyncio.sleep(0)
        return self.node.finalized.ref

    async def block(self, number: int) -> BlockRef | None:
        found = self._block(number)
        return found.ref if found else None

    async def evidence(
        self, number: int, holders: Mapping[str, Collection[str]]
    ) -> BlockEvidence | None:
        await asyncio.sleep(0)
        block = self._block(number)
        if block is None:
            return None
        before = self.node.blocks[max(0, number - 1)].state.tokens
        balances = {
            (token, owner): BalanceChange(before.get(owner, 0), block.state.tokens.get(owner, 0))
            for token, owners in holders.items()
            for owner in owners
        }
        return BlockEvidence(block.ref, block.receipts, balances)

    async def storage(self, address: str, slot: bytes) -> bytes:
        return bytes(32)

    async def code(self, address: str) -> bytes:
        return b"\x60" if address == TOKEN else b""

    async def token_decimals(self, token: str) -> int:
        return 6

    async def native_balances(
        self, addresses: Sequence[str], block: BlockSelector = "latest"
    ) -> list[int]:
        return [self._at(block).state.native.get(address, 0) for address in addresses]

    async def token_balances(
        self, token: str, owners: Sequence[str], block: BlockSelector = "latest"
    ) -> list[int]:
        await asyncio.sleep(0)
        return [self._at(block).state.tokens.get(owner, 0) for owner in owners]

    async def token_allowances(
        self, token: str, owners: Sequence[str], spender: str, block: BlockSelector = "latest"
    ) -> list[int]:
        await asyncio.sleep(0)
        state = self._at(block).state
        return [state.allowed.get(owner, 0) if spender == DISPERSE else 0 for owner in owners]

    async def nonce(self, address: str, block: BlockSelector = "latest") -> int:
        if block == "pending":
            return self.node.pending_nonce(address)
        return self._at(block).state.nonces.get(address, 0)

    async def broadcast(self, raw: bytes) -> BroadcastOutcome:
        (outcome,) = await self.broadcast_many([raw])
        return outcome

    async def broadcast_many(self, raws: Sequence[bytes]) -> list[BroadcastOutcome]:
        await asyncio.sleep(0)
        return [self.node.send(raw) for raw in raws]

    async def receipts(self, block_number: int) -> tuple[Receipt, ...] | None:
        await asyncio.sleep(0)
        block = self._block(block_number)
        return block.receipts if block else None

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        return self.node.receipt(transaction_hash)

    async def receipts_of(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        await asyncio.sleep(0)
        return [self.node.receipt(hash_) for hash_ in transaction_hashes]

    async def denied(self, transaction_hashes: Sequence[bytes]) -> bool:
        return not any(await self.receipts_of(transaction_hashes))

    async def fees(self) -> FeeQuote:
        return FeeQuote(self.node.base_fee_wei, GWEI)

    async def estimate_gas(self, transaction: UnsignedTransaction) -> int:
        return TRANSFER_GAS

    def _block(self, number: int) -> Block | None:
        return self.node.blocks[number] if number < len(self.node.blocks) else None

    def _at(self, block: BlockSelector) -> Block:
        if isinstance(block, int):
            return self.node.blocks[block]
        if isinstance(block, bytes):
            return next(one for one in self.node.blocks if one.ref.hash == block)
        return self.node.blocks[-1]
