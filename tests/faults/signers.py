"""Signers in memory that hold real keys: one with a journal as the real one has, one without.

The journal is what makes a lost answer harmless: the same request gets the same recorded bytes, other
content for the same attempt is refused, a cancelled slot pays no more.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

from coincurve import PrivateKey

from signer.addresses import public_key_address
from signer.envelope import sealed, unsigned_hash
from treasurer.chain.fees import raised
from treasurer.chain.signer_client import RecordedAttempt, SignedAttempt, SignerRefusal
from treasurer.kernel.batch import Batch
from treasurer.kernel.digest import digest
from treasurer.kernel.ids import PaymentId
from treasurer.kernel.order import parse_order
from treasurer.kernel.signing import SignCancel, SignPayment, SignRequest, SignTopUp
from treasurer.kernel.top_up_order import parse_top_up_order
from treasurer.kernel.transaction import (
    UnsignedTransaction,
    batch_transaction,
    cancel_transaction,
    payment_transaction,
    top_up_transaction,
)

_KINDS: dict[type[SignRequest], str] = {
    SignPayment: "payment",
    SignCancel: "cancel",
    SignTopUp: "top_up",
}
Answer = SignedAttempt | SignerRefusal


class Signs(Protocol):
    """What the pump asks of a signer."""

    async def sign(self, requests: Sequence[SignRequest]) -> list[Answer]:
        """One answer a request."""

    async def slot(self, chain_id: int, wallet: str, nonce: int) -> list[RecordedAttempt]:
        """What was signed for a slot, oldest first."""


class ForgetfulSigner:
    """Signs whatever it is asked, each time anew: no journal."""

    def __init__(self, keys: Iterable[PrivateKey]) -> None:
        self._keys = {address_of(key): key for key in keys}

    async def sign(self, requests: Sequence[SignRequest]) -> list[Answer]:
        return [self._sign(request) for request in requests]

    async def slot(self, chain_id: int, wallet: str, nonce: int) -> list[RecordedAttempt]:
        return []

    def _sign(self, request: SignRequest) -> Answer:
        call = call_of(request)
        signature = self._keys[call.sender].sign_recoverable(unsigned_hash(call), hasher=None)
        envelope = sealed(call, bytes(signature))
        return SignedAttempt(envelope.raw, envelope.transaction_hash, call.call_digest)


class JournalSigner(ForgetfulSigner):
    """Records before it answers, and holds every later request against what it recorded."""

    def __init__(self, keys: Iterable[PrivateKey]) -> None:
        super().__init__(keys)
        self.journal: dict[tuple[str, int], list[RecordedAttempt]] = defaultdict(list)
        self.slots_of: dict[PaymentId, dict[tuple[str, int], None]] = defaultdict(dict)

    async def slot(self, chain_id: int, wallet: str, nonce: int) -> list[RecordedAttempt]:
        return list(self.journal[wallet, nonce])

    def _elsewhere(self, request: SignRequest, call: UnsignedTransaction) -> SignerRefusal | None:
        """As signer.desk: another slot of a payment is given to who names the end of the earlier ones."""
        slot = call.sender, request.nonce
        ended = {(e.wallet, e.nonce): e.transaction_hash for e in getattr(request, "ended", ())}
        for earlier in {s: None for p in _payment_ids(request) for s in self.slots_of[p]}:
            own = {one.signed.transaction_hash for one in self.journal[earlier]}
            if earlier == slot or (earlier in ended and (ended[earlier] or next(iter(own))) in own):
                continue
            return SignerRefusal("ORDER_IN_ANOTHER_SLOT", f"signed in slot {earlier[1]} before")
        return None

    def _sign(self, request: SignRequest) -> Answer:
        call = call_of(request)
        recorded = self.journal[call.sender, request.nonce]
        if request.attempt <= len(recorded):
            known = recorded[request.attempt - 1]
            if (known.signed.call_digest, known.fees) == (call.call_digest, request.fees):
                return known.signed
            return SignerRefusal("JOURNAL_CONFLICT", "this attempt signed other content")
        if refusal := _refusal(recorded, request, call) or self._elsewhere(request, call):
            return refusal
        answer = super()._sign(request)
        assert isinstance(answer, SignedAttempt)
        for payment_id in _payment_ids(request):
            self.slots_of[payment_id][call.sender, request.nonce] = None
        recorded.append(
            RecordedAttempt(
                request.attempt,
                _KINDS[type(request)],
                tuple(digest(one) for one in getattr(request, "orders", ())),
                request.fees,
                answer,
            )
        )
        return answer


def _refusal(
    recorded: Sequence[RecordedAttempt], request: SignRequest, call: UnsignedTransaction
) -> SignerRefusal | None:
    if request.attempt != len(recorded) + 1:
        return SignerRefusal("ATTEMPT_GAP", f"the next attempt is number {len(recorded) + 1}")
    if not recorded:
        return None
    if isinstance(request, SignPayment):
        if any(one.kind == "cancel" for one in recorded):
            return SignerRefusal("SLOT_CANCELLED", "a cancelled slot pays no more")
        if recorded[0].signed.call_digest != call.call_digest:
            return SignerRefusal("SLOT_CALL_CHANGED", "this slot signed another order")
    last = recorded[-1].fees
    if request.fees.max_fee_per_gas_wei < raised(last.max_fee_per_gas_wei):
        return SignerRefusal("BUMP_TOO_SMALL", "a replacement offers 12.5 % more")
    return None


def _payment_ids(request: SignRequest) -> list[PaymentId]:
    orders = [parse_order(each) for each in getattr(request, "orders", ())]
    return [item.payment_id for order in orders for item in order.items]


def call_of(request: SignRequest) -> UnsignedTransaction:
    """The transaction that a request stands for."""
    if isinstance(request, SignCancel):
        return cancel_transaction(
            chain_id=request.chain_id,
            sender=request.sender,
            nonce=request.nonce,
            fees=request.fees,
        )
    if isinstance(request, SignTopUp):
        top_up = parse_top_up_order(request.order)
        return top_up_transaction(top_up, nonce=request.nonce, fees=request.fees)
    assert isinstance(request, SignPayment)
    if request.disperse is not None:
        return batch_transaction(
            Batch(tuple(parse_order(order) for order in request.orders)),
            disperse=request.disperse,
            sender=request.sender,
            nonce=request.nonce,
            fees=request.fees,
        )
    (order,) = request.orders
    return payment_transaction(
        parse_order(order), sender=request.sender, nonce=request.nonce, fees=request.fees
    )


def key_of(name: str) -> PrivateKey:
    """A key from a name: equal in every run of a seed."""
    return PrivateKey(digest(name.encode()))


def address_of(key: PrivateKey) -> str:
    return public_key_address(key.public_key.format(compressed=False))
