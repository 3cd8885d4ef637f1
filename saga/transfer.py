"""Owns what a transfer is and how its state may move. Pure; must never leave a terminal state."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from treasurer.kernel.allowance_order import AllowanceOrder
from treasurer.kernel.calldata import approve_calldata, disperse_calldata, transfer_calldata
from treasurer.kernel.digest import digest
from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import OrganizationId, PaymentId, TransferId, WalletId
from treasurer.kernel.order import OrderItem
from treasurer.kernel.transaction import FeeTerms, UnsignedTransaction
from treasurer.top_ups.model import TopUp

NATIVE = "native"
"""Stands for the chain's own coin where a token's address would stand."""
MAX_IN_FLIGHT = 16
"""Live transfers a wallet: more would all wait behind one that is stuck."""


class TransferState(StrEnum):
    RESERVED = "reserved"
    SLOTTED = "slotted"
    SIGNED = "signed"
    BROADCAST = "broadcast"
    INCLUDED = "included"
    SETTLED = "settled"
    CANCELLING = "cancelling"
    VOID = "void"
    QUARANTINED = "quarantined"


_S = TransferState
LEGAL: dict[TransferState, frozenset[TransferState]] = {
    _S.RESERVED: frozenset({_S.SLOTTED, _S.VOID}),
    _S.SLOTTED: frozenset({_S.SIGNED, _S.CANCELLING}),
    _S.SIGNED: frozenset({_S.BROADCAST, _S.INCLUDED, _S.CANCELLING}),
    # Another transaction than ours used the slot up: only people may say what became of it.
    _S.BROADCAST: frozenset({_S.INCLUDED, _S.CANCELLING, _S.QUARANTINED}),
    _S.INCLUDED: frozenset({_S.SETTLED, _S.BROADCAST, _S.VOID, _S.QUARANTINED}),
    _S.CANCELLING: frozenset({_S.VOID, _S.SETTLED, _S.QUARANTINED}),
    _S.QUARANTINED: frozenset({_S.SETTLED, _S.VOID, _S.BROADCAST}),
    _S.SETTLED: frozenset(),
    _S.VOID: frozenset(),
}
TERMINAL = frozenset({_S.SETTLED, _S.VOID})


def require_legal(before: TransferState, after: TransferState) -> None:
    """Raise InvariantViolated unless a transfer may move from `before` to `after`."""
    if after not in LEGAL[before]:
        raise InvariantViolated("TRANSFER_TRANSITION", f"a transfer never goes {before} → {after}")


@dataclass(frozen=True, slots=True)
class TransferItem:
    """One payment of a transfer; amounts in the token's and in reporting base units."""

    payment_id: PaymentId
    recipient: str
    amount_minor: int
    reporting_amount_minor: int
    order_digest: bytes


@dataclass(frozen=True, slots=True)
class Transfer:
    """One nonce slot of one wallet, and what it carries: payments, whose orders stand with them, or an
    allowance, or gas money for another own wallet.

    Several items are paid by one call to the contract at `disperse`, a single one by the token's own.
    """

    id: TransferId
    organization_id: OrganizationId
    wallet_id: WalletId
    chain_id: int
    sender: str
    token: str
    disperse: str | None
    state: TransferState
    nonce: int | None
    fees: FeeTerms
    call_digest: bytes | None
    block_number: int | None
    block_hash: bytes | None
    tries: int
    sent_at: datetime | None
    created_at: datetime
    items: tuple[TransferItem, ...]
    allowance: AllowanceOrder | None = None
    top_up: TopUp | None = None

    def in_slot(self, nonce: int) -> "Transfer":
        """The same transfer in the slot `nonce`, with the digest of the call that its items dictate.

        The signer builds the call from the orders by itself, and both digests have to agree.
        """
        call = UnsignedTransaction(
            chain_id=self.chain_id,
            nonce=nonce,
            sender=self.sender,
            to=self.top_up.order.recipient if self.top_up else self.disperse or self.token,
            value_wei=self.top_up.order.amount_wei if self.top_up else 0,
            data=self._calldata(),
            fees=self.fees,
        )
        return replace(self, state=TransferState.SLOTTED, nonce=nonce, call_digest=call.call_digest)

    def _calldata(self) -> bytes:
        if self.top_up is not None:
            return b""
        if self.allowance is not None:
            return approve_calldata(self.allowance.spender, self.allowance.amount_minor)
        if self.disperse is None:
            (item,) = self.items
            return transfer_calldata(item.recipient, item.amount_minor)
        batch_id = digest(b"".join(item.order_digest for item in self.items))
        return disperse_calldata(
            self.token,
            batch_id,
            [OrderItem(i.payment_id, i.recipient, i.amount_minor) for i in self.items],
        )

    @property
    def attempt_kind(self) -> "AttemptKind":
        """What its attempts are called, but for its cancel."""
        if self.top_up is not None:
            return AttemptKind.TOP_UP
        return AttemptKind.PAYMENT if self.allowance is None else AttemptKind.ALLOWANCE

    @property
    def slot(self) -> tuple[int, bytes]:
        """Its nonce and the digest of the call that the slot carries."""
        if self.nonce is None or self.call_digest is None:
            raise InvariantViolated("TRANSFER_WITHOUT_SLOT", f"transfer {self.id} has no nonce yet")
        return self.nonce, self.call_digest

    @property
    def block(self) -> tuple[int, bytes] | None:
        """The block that included it, as (number, hash)."""
        if self.block_number is None or self.block_hash is None:
            return None
        return self.block_number, self.block_hash


class AttemptKind(StrEnum):
    PAYMENT = "payment"
    ALLOWANCE = "allowance"
    TOP_UP = "top_up"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction of a slot. `raw` is what a provider gets, byte for byte."""

    transfer_id: TransferId
    number: int
    kind: AttemptKind
    transaction_hash: bytes
    call_digest: bytes
    raw: bytes
    fees: FeeTerms
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """What a slot is to be sent next: its payment at higher fees, or its cancel."""

    transfer: Transfer
    number: int
    kind: AttemptKind
    fees: FeeTerms
