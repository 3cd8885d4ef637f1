"""Owns one network over several providers. Must never let one of them decide what is irreversible.

Reads go to the best provider and from there to the next. Signed bytes go to all. What is final is
answered only when two agree; see `voices.py`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Self

from treasurer.chain.agreement import combined
from treasurer.chain.networks import NetworkProfile
from treasurer.chain.port import (
    BlockEvidence,
    BlockRef,
    BlockSelector,
    BroadcastOutcome,
    FeeQuote,
    PlacedLog,
    Receipt,
)
from treasurer.chain.voices import Question, T, Voices
from treasurer.kernel.errors import Transient
from treasurer.kernel.transaction import UnsignedTransaction


class SeveralProviders:
    """The `Chain` of one network through two or more providers. Close it when done."""

    def __init__(self, voices: Voices, profile: NetworkProfile) -> None:
        self.profile = profile
        self.voices = voices

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self.voices.close()

    async def chain_id(self) -> int:
        return await self.voices.first(lambda chain: chain.chain_id())

    async def genesis_hash(self) -> bytes:
        return await self.voices.first(lambda chain: chain.genesis_hash())

    async def head(self) -> BlockRef:
        return await self.voices.first(lambda chain: chain.head())

    async def finalized(self) -> BlockRef:
        return await self.voices.finalized()

    async def block(self, number: int) -> BlockRef | None:
        return await self.voices.first(lambda chain: chain.block(number))

    async def evidence(
        self, number: int, holders: Mapping[str, Collection[str]]
    ) -> BlockEvidence | None:
        return await self.voices.agreed(
            f"block {number}", lambda chain: chain.evidence(number, holders), number=number
        )

    async def code(self, address: str) -> bytes:
        return await self._both(f"code of {address}", lambda chain: chain.code(address))

    async def storage(self, address: str, slot: bytes) -> bytes:
        return await self._both(f"storage of {address}", lambda chain: chain.storage(address, slot))

    async def token_decimals(self, token: str) -> int:
        return await self._both(f"decimals of {token}", lambda chain: chain.token_decimals(token))

    async def native_balances(
        self, addresses: Sequence[str], block: BlockSelector = "latest"
    ) -> list[int]:
        return await self._at(
            "native balances", block, lambda chain: chain.native_balances(addresses, block)
        )

    async def token_balances(
        self, token: str, owners: Sequence[str], block: BlockSelector = "latest"
    ) -> list[int]:
        return await self._at(
            f"balances of {token}", block, lambda chain: chain.token_balances(token, owners, block)
        )

    async def token_allowances(
        self, token: str, owners: Sequence[str], spender: str, block: BlockSelector = "latest"
    ) -> list[int]:
        return await self._at(
            f"allowances of {token}",
            block,
            lambda chain: chain.token_allowances(token, owners, spender, block),
        )

    async def transfer_logs(
        self, tokens: Sequence[str], holders: Sequence[str], first: int, last: int
    ) -> tuple[PlacedLog, ...]:
        return await self._both(
            f"transfers in blocks {first} to {last}",
            lambda chain: chain.transfer_logs(tokens, holders, first, last),
            last,
        )

    async def nonce(self, address: str, block: BlockSelector = "latest") -> int:
        return await self._at(
            f"nonce of {address}", block, lambda chain: chain.nonce(address, block)
        )

    async def broadcast(self, raw: bytes) -> BroadcastOutcome:
        (outcome,) = await self.broadcast_many([raw])
        return outcome

    async def broadcast_many(self, raws: Sequence[bytes]) -> list[BroadcastOutcome]:
        answers = await self.voices.everyone(lambda chain: chain.broadcast_many(raws))
        return [combined([each[place] for each in answers]) for place in range(len(raws))]

    async def receipts(self, block_number: int) -> tuple[Receipt, ...] | None:
        return await self.voices.agreed(
            f"receipts of block {block_number}",
            lambda chain: chain.receipts(block_number),
            number=block_number,
        )

    async def receipt(self, transaction_hash: bytes) -> Receipt | None:
        (found,) = await self.receipts_of([transaction_hash])
        return found

    async def receipts_of(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        # One provider's None proves nothing: what it does not know the next one is asked for.
        found: dict[bytes, Receipt] = {}
        failure: Transient | None = None
        answered = False
        async for provider in self.voices.in_turn(1):
            missing = [hash_ for hash_ in transaction_hashes if hash_ not in found]
            if not missing:
                break
            try:
                receipts = await provider.ask(_receipts_of(missing))
            except Transient as error:
                failure = error
                continue
            answered = True
            found |= {receipt.transaction_hash: receipt for receipt in receipts if receipt}
        if failure is not None and not answered:
            raise failure
        return [found.get(hash_) for hash_ in transaction_hashes]

    async def denied(self, transaction_hashes: Sequence[bytes]) -> bool:
        return not any(
            await self._both("receipts of a slot", _receipts_of(list(transaction_hashes)))
        )

    async def fees(self) -> FeeQuote:
        return await self.voices.first(lambda chain: chain.fees())

    async def estimate_gas(self, transaction: UnsignedTransaction) -> int:
        return await self.voices.first(lambda chain: chain.estimate_gas(transaction))

    async def _at(self, what: str, block: BlockSelector, question: Question[T]) -> T:
        """At the latest block one answer is as good as another; at a named one two must agree."""
        if isinstance(block, str):
            return await self.voices.first(question)
        return await self._both(what, question, block if isinstance(block, int) else None)

    async def _both(self, what: str, question: Question[T], number: int | None = None) -> T:
        """What two agree on, of something that is never None."""
        agreed = await self.voices.agreed(what, question, number=number)
        assert agreed is not None, what
        return agreed


def _receipts_of(transaction_hashes: Sequence[bytes]) -> Question[list[Receipt | None]]:
    return lambda chain: chain.receipts_of(transaction_hashes)
