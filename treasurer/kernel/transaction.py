"""Owns the unsigned transaction of a slot, as saga and signer must both build it.

Must never know a key. Two processes derive it from the order on their own; equal digests prove that
what is signed is what was approved. EIP-1559 fields; ERC-20 `transfer(address,uint256)`.
"""

from dataclasses import dataclass, replace

from treasurer.kernel.digest import canonical_digest
from treasurer.kernel.order import ExecutionOrder, require_address

TRANSFER_SELECTOR = bytes.fromhex("a9059cbb")
"""First four bytes of keccak256("transfer(address,uint256)")."""

CANCEL_GAS = 21_000
"""Gas of a self-send without data, which is how a slot is cancelled."""


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """Gas limit in units, fees in wei a unit."""

    gas_limit: int
    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int


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


def transfer_calldata(recipient: str, amount_minor: int) -> bytes:
    """ABI encoding of `transfer(recipient, amount_minor)`: selector and two 32-byte words."""
    require_address(recipient)
    return (
        TRANSFER_SELECTOR
        + bytes.fromhex(recipient[2:]).rjust(32, b"\0")
        + amount_minor.to_bytes(32, "big")
    )


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
