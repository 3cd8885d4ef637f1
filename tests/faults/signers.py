"""Signers in memory that hold real keys: one with a journal as the real one has, one without.

The journal is what makes a lost answer harmless: the same request gets the same recorded bytes, other
content for the same attempt is refused.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from coincurve import PrivateKey

from signer.addresses import public_key_address
from signer.envelope import sealed, unsigned_hash
from treasurer.chain.signer_client import SignedAttempt, SignerRefusal, SignRequest
from treasurer.kernel.digest import digest
from treasurer.kernel.order import parse_order
from treasurer.kernel.transaction import payment_transaction


class Signs(Protocol):
    """What the pump asks of a signer."""

    async def sign(self, requests: Sequence[SignRequest]) -> list[SignedAttempt | SignerRefusal]:
        """One answer a request."""


class ForgetfulSigner:
    """Signs whatever it is asked, each time anew: no journal."""

    def __init__(self, keys: Iterable[PrivateKey]) -> None:
        self._keys = {address_of(key): key for key in keys}

    async def sign(self, requests: Sequence[SignRequest]) -> list[SignedAttempt | SignerRefusal]:
        return [self._sign(request) for request in requests]

    def _sign(self, request: SignRequest) -> SignedAttempt | SignerRefusal:
        call = payment_transaction(
            parse_order(request.order),
            sender=request.sender,
            nonce=request.nonce,
            fees=request.fees,
        )
        signature = self._keys[request.sender].sign_recoverable(unsigned_hash(call), hasher=None)
        envelope = sealed(call, bytes(signature))
        return SignedAttempt(envelope.raw, envelope.transaction_hash, call.call_digest)


class JournalSigner(ForgetfulSigner):
    """Records before it answers; refuses a second payment in one slot."""

    def __init__(self, keys: Iterable[PrivateKey]) -> None:
        super().__init__(keys)
        self.journal: dict[tuple[str, int, int], tuple[SignRequest, SignedAttempt]] = {}
        self._orders: dict[tuple[str, int], bytes] = {}

    def _sign(self, request: SignRequest) -> SignedAttempt | SignerRefusal:
        place = (request.sender, request.nonce, request.attempt)
        if place in self.journal:
            asked, answer = self.journal[place]
            if asked == request:
                return answer
            return SignerRefusal("ATTEMPT_TAKEN", "this attempt signed other content")
        order = self._orders.setdefault((request.sender, request.nonce), request.order)
        if order != request.order:
            return SignerRefusal("SLOT_TAKEN", "this slot signed another order")
        answer = super()._sign(request)
        if isinstance(answer, SignedAttempt):
            self.journal[place] = (request, answer)
        return answer


def key_of(name: str) -> PrivateKey:
    """A key from a name: equal in every run of a seed."""
    return PrivateKey(digest(name.encode()))


def address_of(key: PrivateKey) -> str:
    return public_key_address(key.public_key.format(compressed=False))
