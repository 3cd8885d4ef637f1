"""Owns the unsigned transaction of a slot, as saga and signer must both build it.

Must never know a key. Two processes derive it from the order on their own; equal digests prove that
what is signed is what was approved. EIP-1559 fields.
"""

from dataclasses import dataclass, replace

from treasurer.kernel.allowance_order import AllowanceOrder
from treasurer.kernel.batch import Batch
from treasurer.kernel.calldata import approve_calldata, disperse_calldata, transfer_calldata
from treasurer.kernel.digest import canonical_digest
from treasurer.kernel.order import ExecutionOrder, require_address
from treasurer.kernel.top_up_order import TopUpOrder

CANCEL_GAS = 21_000
"""Gas of a self-send without data, which is how a slot is cancelled."""


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """Gas limit in units, fees in wei a unit."""

    gas_limit: int
    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int

    def replacement(self, *, gas_limit: int) -> "FeeTerms":
        """The least fees at which a node takes another transaction in this one's place: 12.5 % more."""
        return FeeTerms(
            gas_limit,
            -(-self.max_fee_per_gas_wei * 9 // 8),
            -(-self.max_priority_fee_per_gas_wei * 9 // 8),
        )


@dataclass(frozen=True, slots=True)
class UnsignedTransaction:
    """An EIP-1559 transaction before its signature. Addresses are lower-case 0x."""

    chain_id: int
    nonce: int
    sender: str
    to: str
    value_wei: int
    data: bytes
    fees: FeeTerms

    @property
    def call_digest(self) -> bytes:
        """SHA-256 over all but the fees: equal for every fee bump of a slot, other for a cancel."""
        return canonical_digest(
            {
                "chain_id": self.chain_id,
                "nonce": self.nonce,
                "sender": self.sender,
                "to": self.to,
                "value_wei": str(self.value_wei),
                "data": self.data.hex(),
            }
        )

    def with_fees(self, fees: FeeTerms) -> "UnsignedTransaction":
        """The same call at other fees."""
        return replace(self, fees=fees)


def payment_transaction(
    order: ExecutionOrder, *, sender: str, nonce: int, fees: FeeTerms
) -> UnsignedTransaction:
    """The one transaction that executes `order` from `sender` in slot `nonce`."""
    if sender not in order.permitted_wallets:
        raise ValueError(f"{sender} is not a permitted wallet of the order")
    (item,) = order.items
    return UnsignedTransaction(
        chain_id=order.chain_id,
        nonce=nonce,
        sender=sender,
        to=order.token,
        value_wei=0,
        data=transfer_calldata(item.recipient, item.amount_minor),
        fees=fees,
    )


def batch_transaction(
    batch: Batch, *, disperse: str, sender: str, nonce: int, fees: FeeTerms
) -> UnsignedTransaction:
    """The one transaction that executes `batch` from `sender` through the `disperse` contract."""
    if not batch.permits(sender):
        raise ValueError(f"{sender} is not a permitted wallet of each order")
    return UnsignedTransaction(
        chain_id=batch.chain_id,
        nonce=nonce,
        sender=sender,
        to=require_address(disperse),
        value_wei=0,
        data=disperse_calldata(batch.token, batch.batch_id, batch.items),
        fees=fees,
    )


def cancel_transaction(
    *, chain_id: int, sender: str, nonce: int, fees: FeeTerms
) -> UnsignedTransaction:
    """The self-send of nothing that uses slot `nonce` up."""
    if fees.gas_limit != CANCEL_GAS:
        raise ValueError(f"a cancel has a gas limit of {CANCEL_GAS}")
    return UnsignedTransaction(
        chain_id=chain_id,
        nonce=nonce,
        sender=require_address(sender),
        to=sender,
        value_wei=0,
        data=b"",
        fees=fees,
    )


def allowance_transaction(
    order: AllowanceOrder, *, nonce: int, fees: FeeTerms
) -> UnsignedTransaction:
    """The one transaction that executes `order` in slot `nonce` of its wallet."""
    return UnsignedTransaction(
        chain_id=order.chain_id,
        nonce=nonce,
        sender=order.wallet,
        to=order.token,
        value_wei=0,
        data=approve_calldata(order.spender, order.amount_minor),
        fees=fees,
    )


def top_up_transaction(order: TopUpOrder, *, nonce: int, fees: FeeTerms) -> UnsignedTransaction:
    """The one transaction that executes `order` in slot `nonce` of its wallet."""
    return UnsignedTransaction(
        chain_id=order.chain_id,
        nonce=nonce,
        sender=order.wallet,
        to=order.recipient,
        value_wei=order.amount_wei,
        data=b"",
        fees=fees,
    )
