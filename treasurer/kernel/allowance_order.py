"""Owns the allowance order: the canonical bytes that let one contract move an exact amount of a token.

Must never be unlimited by spelling: the amount is a number that people saw, and zero takes it back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from treasurer.kernel.clock import epoch_s, from_epoch_s
from treasurer.kernel.digest import digest
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import AllowanceId, OrganizationId
from treasurer.kernel.money import MAX_AMOUNT_MINOR
from treasurer.kernel.order import require_address
from treasurer.kernel.order_bytes import order_bytes, parse_order_bytes

ALLOWANCE_ORDER_KIND = 0xA1
"""The first byte: kind A, version 1."""


@dataclass(frozen=True, slots=True)
class AllowanceOrder:
    """`spender` may move up to `amount_minor` base units of `token` out of `wallet`."""

    allowance_id: AllowanceId
    organization_id: OrganizationId
    chain_id: int
    wallet: str
    token: str
    token_decimals: int
    spender: str
    amount_minor: int
    not_after: datetime

    def __post_init__(self) -> None:
        if not 0 <= self.amount_minor < MAX_AMOUNT_MINOR:
            raise InvalidInput(
                "ORDER_AMOUNT", "an allowance is exact: 0 or more, and not the word's most"
            )
        for address in (self.wallet, self.token, self.spender):
            require_address(address)

    def canonical_bytes(self) -> bytes:
        """The kind byte, then canonical JSON. Instants are whole epoch seconds."""
        return order_bytes(
            ALLOWANCE_ORDER_KIND,
            {
                "allowance_id": str(self.allowance_id),
                "organization_id": str(self.organization_id),
                "chain_id": self.chain_id,
                "wallet": self.wallet,
                "token": self.token,
                "token_decimals": self.token_decimals,
                "spender": self.spender,
                "amount_minor": str(self.amount_minor),
                "not_after": epoch_s(self.not_after),
            },
        )

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes: what an approval binds."""
        return digest(self.canonical_bytes())


def parse_allowance_order(data: bytes) -> AllowanceOrder:
    """Inverse of `canonical_bytes`. Raises InvalidInput unless `data` is exactly canonical."""
    return parse_order_bytes(data, ALLOWANCE_ORDER_KIND, _order_from)


def _order_from(body: Mapping[str, object]) -> AllowanceOrder:
    return AllowanceOrder(
        allowance_id=AllowanceId(UUID(str(body["allowance_id"]))),
        organization_id=OrganizationId(UUID(str(body["organization_id"]))),
        chain_id=int(str(body["chain_id"])),
        wallet=str(body["wallet"]),
        token=str(body["token"]),
        token_decimals=int(str(body["token_decimals"])),
        spender=str(body["spender"]),
        amount_minor=int(str(body["amount_minor"])),
        not_after=from_epoch_s(int(str(body["not_after"]))),
    )
