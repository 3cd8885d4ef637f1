"""Owns the batch: several orders, each approved by itself, that one transaction pays together.

Must never be approved or chosen as a whole: its id follows from its orders, in their order.
"""

from dataclasses import dataclass
from datetime import datetime

from treasurer.kernel.digest import digest
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.order import ExecutionOrder, OrderItem

MOST_ORDERS = 100
"""Orders a batch; the disperse contract takes as many."""


@dataclass(frozen=True, slots=True)
class Batch:
    """2 to `MOST_ORDERS` orders of one organization, chain and token, for distinct payments.

    Raises InvalidInput `BATCH_SIZE`, `BATCH_MIXED` or `BATCH_REPEATED`.
    """

    orders: tuple[ExecutionOrder, ...]

    def __post_init__(self) -> None:
        if not 2 <= len(self.orders) <= MOST_ORDERS:
            raise InvalidInput("BATCH_SIZE", f"a batch has 2 to {MOST_ORDERS} orders")
        terms = {
            (order.organization_id, order.chain_id, order.token, order.token_decimals)
            for order in self.orders
        }
        if len(terms) != 1:
            raise InvalidInput(
                "BATCH_MIXED", "the orders of a batch share organization, chain, token and decimals"
            )
        if len({item.payment_id for item in self.items}) != len(self.items):
            raise InvalidInput("BATCH_REPEATED", "a batch pays each payment once")

    @property
    def batch_id(self) -> bytes:
        """SHA-256 of the order digests one after the other: 32 bytes, stored on chain."""
        return digest(b"".join(order.digest for order in self.orders))

    @property
    def items(self) -> tuple[OrderItem, ...]:
        """What is paid, in the order of payment."""
        return tuple(item for order in self.orders for item in order.items)

    @property
    def chain_id(self) -> int:
        return self.orders[0].chain_id

    @property
    def token(self) -> str:
        return self.orders[0].token

    @property
    def amount_minor(self) -> int:
        """The sum, in base units of the token: what an allowance must cover."""
        return sum(item.amount_minor for item in self.items)

    @property
    def not_after(self) -> datetime:
        """The earliest of the orders' own."""
        return min(order.not_after for order in self.orders)

    def permits(self, wallet: str) -> bool:
        """Whether each order permits `wallet`."""
        return all(wallet in order.permitted_wallets for order in self.orders)
