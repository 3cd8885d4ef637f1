"""Owns the chain port over an EVM node's JSON-RPC. Must never retry, cache or sign.

Of web3 it uses the provider alone (`node.py`): everything that repeats goes in batches, and answers
are read into our own types, so that an amount or a hash that is not exact is no answer.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Self

from eth_hash.auto import keccak

from treasurer.chain import decoding, log_pages
from treasurer.chain.errors import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    CallReverted,
    ChainBadAnswer,
    ChainReorganised,
    FinalityTagMissing,
    NotAToken,
    RpcError,
    broadcast_outcome,
)
from treasurer.chain.finality import Depth
from treasurer.chain.json_rpc import Json, Result, RpcFailure, value
from treasurer.chain.networks import NetworkProfile
from treasurer.chain.pace import RequestPace
from treasurer.chain.port import (
    BalanceChange,
    BlockEvidence,
    BlockRef,
    BlockSelector,
    BroadcastOutcome,
    FeeQuote,
    PlacedLog,
    Receipt,
)
from treasurer.chain.rpc import JsonRpc
from treasurer.chain.tokens import DECIMALS_CALL, allowance_call, balance_of_call
from treasurer.kernel.transaction import UnsignedTransaction


class EvmChain:
    """The `Chain` of one network through one provider. Close it when done."""

    def __init__(self, rpc_url: str, profile: NetworkProfile) -> None:
        self.profile = profile
        self._rpc = JsonRpc(
            rpc_url,
            timeout_s=profile.rpc_timeout_s,
            batch_limit=profile.rpc_batch_limit,
            pace=RequestPace(profile.rpc_calls_per_second),
        )
        self._has_block_receipts = True
        self._has_priority_fee = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._rpc.close()

    async def chain_id(self) -> int:
        return await self._quantity("eth_chainId")

    async def genesis_hash(self) -> bytes:
        return (await self._require_block("0x0")).hash

    async def head(self) -> BlockRef:
        return await self._require_block("latest")

    async def finalized(self) -> BlockRef:
        rule = self.profile.finality
        if isinstance(rule, Depth):
            return await self._require_block(hex(rule.final_number((await self.head()).number)))
        try:
            tagged = await self._block("finalized")
        except RpcError as error:
            if error.rpc_code == INVALID_PARAMS:
                raise FinalityTagMissing() from error
            # geth answers with an error instead of null while nothing is final yet.
            if "not found" not in error.text.lower():
                raise
            tagged = None
        return tagged or await self._require_block("0x0")

    async def block(self, number: int) -> BlockRef | None:
        return await self._block(hex(number))

    async def evidence(
        self, number: int, holders: Mapping[str, Collection[str]]
    ) -> BlockEvidence | None:
        method = "eth_getBlockByNumber"
        # Beside each other: the receipts name their block's hash, so both prove to be of one block.
        answer, receipts = await asyncio.gather(
            self._rpc.call(method, hex(number), False), self.receipts(number)
        )
        if answer is None:
            return None
        block = decoding.decode(method, decoding.block, answer)
        _, hashes = decoding.decode(method, decoding.transaction_hashes, answer)
        if receipts is None or any(receipt.block_hash != block.hash for receipt in receipts):
            raise ChainReorganised(number)
        if [receipt.transaction_hash for receipt in receipts] != hashes:
            raise ChainBadAnswer(method, "the receipts are not those of the block's transactions")
        return BlockEvidence(block, receipts, await self._balance_changes(block, holders))

    async def code(self, address: str) -> bytes:
        answer = await self._rpc.call("eth_getCode", address, "latest")
        return decoding.decode("eth_getCode", decoding.data, answer)

    async def storage(self, address: str, slot: bytes) -> bytes:
        method = "eth_getStorageAt"
        answer = await self._rpc.call(method, address, "0x" + slot.hex(), "latest")
        return decoding.decode(method, decoding.word, answer)

    async def token_decimals(self, token: str) -> int:
        call: Json = {"to": token, "data": "0x" + DECIMALS_CALL.hex()}
        try:
            answer = await self._rpc.call("eth_call", call, "latest")
        except CallReverted:
            raise NotAToken(token, "decimals()") from None
        decimals = decoding.decode("eth_call", decoding.data, answer)
        if len(decimals) != 32 or int.from_bytes(decimals) > 255:
            raise NotAToken(token, "decimals()")
        return int.from_bytes(decimals)

    async def native_balances(
        self, addresses: Sequence[str], block: BlockSelector = "latest"
    ) -> list[int]:
        calls: list[tuple[Json, ...]] = [(address, _selector(block)) for address in addresses]
        answers = await self._rpc.batch("eth_getBalance", calls)
        return [
            decoding.decode("eth_getBalance", decoding.quantity, value("eth_getBalance", answer))
            for answer in answers
        ]

    async def token_balances(
        self, token: str, owners: Sequence[str], block: BlockSelector = "latest"
    ) -> list[int]:
        answers = await self._rpc.batch(
            "eth_call", [_balance_of(token, owner, block) for owner in owners]
        )
        return [_amount(token, "balanceOf(address)", answer) for answer in answers]

    async def token_allowances(
        self, token: str, owners: Sequence[str], spender: str, block: BlockSelector = "latest"
    ) -> list[int]:
        calls: list[tuple[Json, ...]] = [
            (
                {"to": token, "data": "0x" + allowance_call(owner, spender).hex()},
                _selector(block),
            )
            for owner in owners
        ]
        answers = await self._rpc.batch("eth_call", calls)
        return [_amount(token, "allowance(address,address)", answer) for answer in answers]

    async def transfer_logs(
        self, tokens: Sequence[str], holders: Sequence[str], first: int, last: int
    ) -> tuple[PlacedLog, ...]:
        return await log_pages.transfer_logs(self._rpc, tokens, holders, first, last)

    async def nonce(self, address: str, block: BlockSelector = "latest") -> int:
        return await self._quantity("eth_getTransactionCount", address, _selector(block))

    async def broadcast(self, raw: bytes) -> BroadcastOutcome:
        (outcome,) = await self.broadcast_many([raw])
        return outcome

    async def broadcast_many(self, raws: Sequence[bytes]) -> list[BroadcastOutcome]:
        calls = [("0x" + raw.hex(),) for raw in raws]
        answers = await self._rpc.batch_in_order("eth_sendRawTransaction", calls)
        return [_outcome(raw, answer) for raw, answer in zip(raws, answers, strict=True)]

    async def receipts(self, block_number: int) -> tuple[Receipt, ...] | None:
        if self._has_block_receipts:
            (answer,) = await self._rpc.batch("eth_getBlockReceipts", [(hex(block_number),)])
            if not (isinstance(answer, RpcFailure) and answer.code == METHOD_NOT_FOUND):
                return _receipts(block_number, value("eth_getBlockReceipts", answer))
            self._has_block_receipts = False
        return await self._receipts_one_by_one(block_number)

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        (found,) = await self.receipts_of([transaction_hash])
        return found

    async def receipts_of(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        method = "eth_getTransactionReceipt"
        calls = [("0x" + transaction_hash.hex(),) for transaction_hash in transaction_hashes]
        found: list[Receipt | None] = []
        answers = await self._rpc.batch(method, calls)
        for transaction_hash, answer in zip(transaction_hashes, answers, strict=True):
            content = value(method, answer)
            if content is None:
                found.append(None)
                continue
            receipt = decoding.decode(method, decoding.receipt, content)
            if receipt.transaction_hash != transaction_hash:
                raise ChainBadAnswer(method, "the receipt of another transaction")
            found.append(receipt)
        return found

    async def denied(self, transaction_hashes: Sequence[bytes]) -> bool:
        return not any(await self.receipts_of(transaction_hashes))

    async def fees(self) -> FeeQuote:
        base_fee_wei = (await self.head()).base_fee_wei
        if self._has_priority_fee:
            try:
                return FeeQuote(base_fee_wei, await self._quantity("eth_maxPriorityFeePerGas"))
            except RpcError as error:
                if error.rpc_code != METHOD_NOT_FOUND:
                    raise
                self._has_priority_fee = False
        return FeeQuote(base_fee_wei, self.profile.default_priority_fee_wei)

    async def estimate_gas(self, transaction: UnsignedTransaction) -> int:
        return await self._quantity(
            "eth_estimateGas",
            {
                "from": transaction.sender,
                "to": transaction.to,
                "value": hex(transaction.value_wei),
                "data": "0x" + transaction.data.hex(),
            },
        )

    async def _balance_changes(
        self, block: BlockRef, holders: Mapping[str, Collection[str]]
    ) -> dict[tuple[str, str], BalanceChange]:
        """By (token, holder), all in one batch: at the block's parent, then at the block."""
        pairs = [
            (token, owner) for token, owners in holders.items() for owner in sorted(set(owners))
        ]
        calls = [
            _balance_of(token, owner, hash_)
            for hash_ in (block.parent_hash, block.hash)
            for token, owner in pairs
        ]
        answers = await self._rpc.batch("eth_call", calls)
        amounts = [
            _amount(token, "balanceOf(address)", answer)
            for (token, _), answer in zip(pairs * 2, answers, strict=True)
        ]
        changes = zip(pairs, amounts[: len(pairs)], amounts[len(pairs) :], strict=True)
        return {pair: BalanceChange(before, after) for pair, before, after in changes}

    async def _quantity(self, method: str, *parameters: Json) -> int:
        answer = await self._rpc.call(method, *parameters)
        return decoding.decode(method, decoding.quantity, answer)

    async def _block(self, selector: str) -> BlockRef | None:
        method = "eth_getBlockByNumber"
        answer = await self._rpc.call(method, selector, False)
        return None if answer is None else decoding.decode(method, decoding.block, answer)

    async def _require_block(self, selector: str) -> BlockRef:
        block = await self._block(selector)
        if block is None:
            raise ChainBadAnswer("eth_getBlockByNumber", f"no block {selector}")
        return block

    async def _receipts_one_by_one(self, block_number: int) -> tuple[Receipt, ...] | None:
        method = "eth_getBlockByNumber"
        answer = await self._rpc.call(method, hex(block_number), False)
        if answer is None:
            return None
        block_hash, hashes = decoding.decode(method, decoding.transaction_hashes, answer)
        found = await self.receipts_of(hashes)
        if any(receipt is None or receipt.block_hash != block_hash for receipt in found):
            raise ChainReorganised(block_number)
        return tuple(receipt for receipt in found if receipt is not None)


def _selector(block: BlockSelector) -> Json:
    if isinstance(block, bytes):
        return {"blockHash": "0x" + block.hex(), "requireCanonical": True}
    return block if isinstance(block, str) else hex(block)


def _balance_of(token: str, owner: str, block: BlockSelector) -> tuple[Json, ...]:
    return {"to": token, "data": "0x" + balance_of_call(owner).hex()}, _selector(block)


def _amount(token: str, function: str, answer: Result) -> int:
    # An address without code answers with no bytes at all: a missing token, not a balance of 0.
    content = decoding.decode("eth_call", decoding.data, value("eth_call", answer))
    if len(content) != 32:
        raise NotAToken(token, function)
    return int.from_bytes(content)


def _outcome(raw: bytes, answer: Result) -> BroadcastOutcome:
    if isinstance(answer, RpcFailure):
        return broadcast_outcome(answer.code, answer.text)
    # Only our own hash proves that the provider read our bytes and not something else.
    if answer == "0x" + keccak(raw).hex():
        return BroadcastOutcome.ACCEPTED
    return BroadcastOutcome.UNKNOWN


def _receipts(block_number: int, answer: Json) -> tuple[Receipt, ...] | None:
    method = "eth_getBlockReceipts"
    receipts = decoding.decode(method, decoding.receipts, answer)
    if receipts is None:
        return None
    if any(receipt.block_number != block_number for receipt in receipts):
        raise ChainBadAnswer(method, "receipts of another block")
    if len({receipt.block_hash for receipt in receipts}) > 1:
        raise ChainReorganised(block_number)
    return receipts
