"""Owns a chain and a signer that accept at once, so that only our own work and the database's is timed.

Must never answer what the real ones could not: the balances agree with the logs, a block holds what
was sent at once, a call digest is the kernel's. Both do as little as they can, because they run in the
measured process where the real ones do not.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from treasurer.bootstrap import utc_now
from treasurer.chain.pinning import TokenCheck
from treasurer.chain.port import (
    BalanceChange,
    BlockEvidence,
    BlockRef,
    BlockSelector,
    BroadcastOutcome,
    FeeQuote,
    Log,
    Receipt,
)
from treasurer.chain.signer_client import SignedAttempt
from treasurer.chain.tokens import TRANSFER_TOPIC
from treasurer.kernel.calldata import transfer_calldata
from treasurer.kernel.digest import digest
from treasurer.kernel.order import ExecutionOrder
from treasurer.kernel.signing import SignPayment

GAS_USED = 34_056
GAS_PRICE_WEI = 10**9


@dataclass(frozen=True, slots=True)
class _Call:
    """What the transaction of an order does, worked out before the clock runs."""

    token: str
    recipient: str
    amount_minor: int
    digest_start: str
    digest_end: str


class FakeChain:
    """The reads and writes of a chain that the pump makes; every broadcast is a final block."""

    def __init__(self) -> None:
        self.signed: dict[bytes, tuple[str, _Call]] = {}
        self._blocks: list[tuple[Receipt, ...]] = [()]
        self._receipts: dict[bytes, Receipt] = {}
        self._balances: dict[tuple[str, str], tuple[list[int], list[int]]] = defaultdict(
            lambda: ([0], [0])
        )

    async def fees(self) -> FeeQuote:
        return FeeQuote(GAS_PRICE_WEI, GAS_PRICE_WEI)

    async def finalized(self) -> BlockRef:
        number = len(self._blocks) - 1
        return BlockRef(
            number, _block_hash(number), 0, GAS_PRICE_WEI, _block_hash(max(0, number - 1))
        )

    async def broadcast_many(self, raws: Sequence[bytes]) -> list[BroadcastOutcome]:
        number = len(self._blocks)
        hash_ = _block_hash(number)
        receipts = tuple(self._mine(raw, number, hash_, at) for at, raw in enumerate(raws))
        self._blocks.append(receipts)
        self._receipts |= {receipt.transaction_hash: receipt for receipt in receipts}
        return [BroadcastOutcome.ACCEPTED] * len(raws)

    async def receipts(self, block_number: int) -> tuple[Receipt, ...] | None:
        return self._blocks[block_number]

    async def evidence(
        self, number: int, holders: Mapping[str, Collection[str]]
    ) -> BlockEvidence | None:
        block = BlockRef(
            number, _block_hash(number), 0, GAS_PRICE_WEI, _block_hash(max(0, number - 1))
        )
        balances = {
            (token, owner): BalanceChange(
                self._balance(token, owner, number - 1), self._balance(token, owner, number)
            )
            for token, owners in holders.items()
            for owner in owners
        }
        return BlockEvidence(block, self._blocks[number], balances)

    async def receipts_of(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        return [self._receipts.get(hash_) for hash_ in transaction_hashes]

    async def token_balances(
        self, token: str, owners: Sequence[str], block: BlockSelector = "latest"
    ) -> list[int]:
        assert isinstance(block, int)
        return [self._balance(token, owner, block) for owner in owners]

    def _mine(self, raw: bytes, number: int, block_hash: bytes, log_index: int) -> Receipt:
        hash_ = digest(raw)
        sender, call = self.signed[hash_]
        for holder, change in ((sender, -call.amount_minor), (call.recipient, call.amount_minor)):
            numbers, balances = self._balances[call.token, holder]
            if numbers[-1] == number:
                balances[-1] += change
            else:
                numbers.append(number)
                balances.append(balances[-1] + change)
        log = Log(
            address=call.token,
            topics=(TRANSFER_TOPIC, _topic(sender), _topic(call.recipient)),
            data=call.amount_minor.to_bytes(32),
            log_index=log_index,
        )
        return Receipt(hash_, number, block_hash, True, GAS_USED, GAS_PRICE_WEI, (log,))

    def _balance(self, token: str, owner: str, block: int) -> int:
        numbers, balances = self._balances[token, owner]
        return balances[bisect_right(numbers, block) - 1]


class FakeSigner:
    """Signs any order that it was shown before."""

    def __init__(self, chain: FakeChain) -> None:
        self._chain = chain
        self._calls: dict[bytes, _Call] = {}

    def learn(self, order: ExecutionOrder) -> None:
        (item,) = order.items
        data = transfer_calldata(item.recipient, item.amount_minor).hex()
        # The canonical JSON of `UnsignedTransaction.call_digest`, around what the slot decides.
        self._calls[order.canonical_bytes()] = _Call(
            token=order.token,
            recipient=item.recipient,
            amount_minor=item.amount_minor,
            digest_start=f'{{"chain_id":{order.chain_id},"data":"{data}","nonce":',
            digest_end=f',"to":"{order.token}","value_wei":"0"}}',
        )

    async def sign(self, requests: Sequence[SignPayment]) -> list[SignedAttempt]:
        return [self._sign(request) for request in requests]

    def _sign(self, request: SignPayment) -> SignedAttempt:
        (order,) = request.orders
        call = self._calls[order]
        slot = f'{request.nonce},"sender":"{request.sender}"'
        content = f"{call.digest_start}{slot}{call.digest_end}".encode()
        # As long as a real signed token transfer.
        raw = content[:175].ljust(175, b"\0") + digest(content)
        hash_ = digest(raw)
        self._chain.signed[hash_] = (request.sender, call)
        return SignedAttempt(raw=raw, transaction_hash=hash_, call_digest=digest(content))


class SoundTokens:
    """Every token is what was pinned."""

    async def check(self, token: str) -> TokenCheck:
        return TokenCheck(token, utc_now(), ())


def _block_hash(number: int) -> bytes:
    return number.to_bytes(32)


def _topic(address: str) -> bytes:
    return bytes.fromhex(address[2:]).rjust(32, b"\0")
