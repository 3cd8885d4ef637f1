"""Owns the execution order: the canonical, versioned bytes that people approve and the signer checks.

Must never carry a nonce or a fee, which change between approval and inclusion, and never be parsed
leniently: other bytes are another order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from treasurer.kernel.clock import epoch_s, from_epoch_s
from treasurer.kernel.digest import Canonical, digest
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import OrganizationId, PaymentId
from treasurer.kernel.money import MAX_AMOUNT_MINOR
from treasurer.kernel.order_bytes import order_bytes, parse_order_bytes

ORDER_VERSION = 1


@dataclass(frozen=True, slots=True)
class Quote:
    """How the invoice's amount became the token's: rate, sources and validity, approved with it."""

    invoice_currency: str
    invoice_amount_minor: int
    invoice_decimals: int
    rate_numerator: int
    rate_denominator: int
    sources: tuple[str, ...]
    as_of: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One payment of an order. `recipient` is a lower-case 0x address, `amount_minor` base units."""

    payment_id: PaymentId
    recipient: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class ExecutionOrder:
    """What was approved is what is signed. Version 1 has exactly one item."""

    organization_id: OrganizationId
    chain_id: int
    token: str
    token_decimals: int
    items: tuple[OrderItem, ...]
    permitted_wallets: tuple[str, ...]
    quote: Quote
    not_after: datetime

    def __post_init__(self) -> None:
        if len(self.items) != 1:
            raise InvalidInput("ORDER_ITEMS", "an order of version 1 has exactly one item")
        for item in self.items:
            if not 0 < item.amount_minor <= MAX_AMOUNT_MINOR:
                raise InvalidInput("ORDER_AMOUNT", "an order pays a positive amount below 2^256")
        for address in (self.token, *self.permitted_wallets, *(i.recipient for i in self.items)):
            require_address(address)
        if not self.permitted_wallets or list(self.permitted_wallets) != sorted(
            set(self.permitted_wallets)
        ):
            raise InvalidInput("ORDER_WALLETS", "permitted wallets are sorted, distinct, not empty")

    def canonical_bytes(self) -> bytes:
        """The version byte, then canonical JSON. Instants are whole epoch seconds."""
        body: dict[str, Canonical] = {
            "organization_id": str(self.organization_id),
            "chain_id": self.chain_id,
            "token": self.token,
            "token_decimals": self.token_decimals,
            "items": [
                {
                    "payment_id": str(item.payment_id),
                    "recipient": item.recipient,
                    "amount_minor": str(item.amount_minor),
                }
                for item in self.items
            ],
            "permitted_wallets": list(self.permitted_wallets),
            "quote": {
                "invoice_currency": self.quote.invoice_currency,
                "invoice_amount_minor": str(self.quote.invoice_amount_minor),
                "invoice_decimals": self.quote.invoice_decimals,
                "rate_numerator": str(self.quote.rate_numerator),
                "rate_denominator": str(self.quote.rate_denominator),
                "sources": list(self.quote.sources),
                "as_of": epoch_s(self.quote.as_of),
                "valid_until": epoch_s(self.quote.valid_until),
            },
            "not_after": epoch_s(self.not_after),
        }
        return order_bytes(ORDER_VERSION, body)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes: what an approval binds."""
        return digest(self.canonical_bytes())


def require_address(address: str) -> str:
    """Return `address`; raise InvalidInput unless it is 0x and 40 lower-case hexadecimal digits."""
    if len(address) != 42 or not address.startswith("0x"):
        raise InvalidInput("ADDRESS_SYNTAX", "an address is 0x and 40 hexadecimal digits")
    if address[2:].strip("0123456789abcdef"):
        raise InvalidInput("ADDRESS_SYNTAX", "inside, an address is lower-case hexadecimal")
    return address


def parse_order(data: bytes) -> ExecutionOrder:
    """Inverse of `canonical_bytes`. Raises InvalidInput unless `data` is exactly canonical."""
    return parse_order_bytes(data, ORDER_VERSION, _order_from)


def _order_from(body: Mapping[str, object]) -> ExecutionOrder:
    quote = body["quote"]
    items = body["items"]
    wallets = body["permitted_wallets"]
    if not (isinstance(quote, dict) and isinstance(items, list) and isinstance(wallets, list)):
        raise TypeError("quote, items or permitted_wallets has another shape")
    return ExecutionOrder(
        organization_id=OrganizationId(UUID(str(body["organization_id"]))),
        chain_id=int(str(body["chain_id"])),
        token=str(body["token"]),
        token_decimals=int(str(body["token_decimals"])),
        items=tuple(
            OrderItem(
                payment_id=PaymentId(UUID(item["payment_id"])),
                recipient=str(item["recipient"]),
                amount_minor=int(item["amount_minor"]),
            )
            for item in items
        ),
        permitted_wallets=tuple(str(wallet) for wallet in wallets),
        quote=Quote(
            invoice_currency=str(quote["invoice_currency"]),
            invoice_amount_minor=int(quote["invoice_amount_minor"]),
            invoice_decimals=int(quote["invoice_decimals"]),
            rate_numerator=int(quote["rate_numerator"]),
            rate_denominator=int(quote["rate_denominator"]),
            sources=tuple(str(source) for source in quote["sources"]),
            as_of=from_epoch_s(int(quote["as_of"])),
            valid_until=from_epoch_s(int(quote["valid_until"])),
        ),
        not_after=from_epoch_s(int(str(body["not_after"]))),
    )
