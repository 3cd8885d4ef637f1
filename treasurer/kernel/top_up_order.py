"""Owns the top-up order: the canonical bytes that move gas money from one own wallet to another.

Must never carry a token or pay anybody else: both wallets are the organization's, which the signer
checks against its own list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from treasurer.kernel.clock import epoch_s, from_epoch_s
from treasurer.kernel.digest import digest
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import OrganizationId, TopUpId
from treasurer.kernel.money import MAX_AMOUNT_MINOR
from treasurer.kernel.order import require_address
from treasurer.kernel.order_bytes import order_bytes, parse_order_bytes

TOP_UP_ORDER_KIND = 0xB1
"""The first byte: kind B, version 1."""


@dataclass(frozen=True, slots=True)
class TopUpOrder:
    """`amount_wei` of the chain's native asset from `wallet` to `recipient`."""

    top_up_id: TopUpId
    organization_id: OrganizationId
    chain_id: int
    wallet: str
    recipient: str
    amount_wei: int
    not_after: datetime

    def __post_init__(self) -> None:
        if not 0 < self.amount_wei <= MAX_AMOUNT_MINOR:
            raise InvalidInput("ORDER_AMOUNT", "a top-up moves a positive amount below 2^256")
        for address in (self.wallet, self.recipient):
            require_address(address)
        if self.wallet == self.recipient:
            raise InvalidInput("ORDER_WALLETS", "a top-up goes to another wallet")

    def canonical_bytes(self) -> bytes:
        """The kind byte, then canonical JSON. Instants are whole epoch seconds."""
        return order_bytes(
            TOP_UP_ORDER_KIND,
            {
                "top_up_id": str(self.top_up_id),
                "organization_id": str(self.organization_id),
                "chain_id": self.chain_id,
                "wallet": self.wallet,
                "recipient": self.recipient,
                "amount_wei": str(self.amount_wei),
                "not_after": epoch_s(self.not_after),
            },
        )

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes: what an approval binds."""
        return digest(self.canonical_bytes())


def parse_top_up_order(data: bytes) -> TopUpOrder:
    """Inverse of `canonical_bytes`. Raises InvalidInput unless `data` is exactly canonical."""
    return parse_order_bytes(data, TOP_UP_ORDER_KIND, _order_from)


def _order_from(body: Mapping[str, object]) -> TopUpOrder:
    return TopUpOrder(
        top_up_id=TopUpId(UUID(str(body["top_up_id"]))),
        organization_id=OrganizationId(UUID(str(body["organization_id"]))),
        chain_id=int(str(body["chain_id"])),
        wallet=str(body["wallet"]),
        recipient=str(body["recipient"]),
        amount_wei=int(str(body["amount_wei"])),
        not_after=from_epoch_s(int(str(body["not_after"]))),
    )
