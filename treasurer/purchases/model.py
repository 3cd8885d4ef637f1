"""Owns what orders and receipts are, and the match of an invoice with them. Pure; must never round.

Amounts are net of tax, in base units of the order's currency. An order that needs no receipt (a service, a
rent) says so; every other one is billed up to what was received.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from uuid import UUID

from treasurer.kernel.ids import PayeeId
from treasurer.kernel.money import Asset


class MatchState(StrEnum):
    NO_ORDER = "no_order"
    MATCHED = "matched"
    OVER = "over"
    """More is billed than was ordered."""
    UNDER_RECEIPT = "under_receipt"
    """More is billed than was received."""
    MISMATCH = "mismatch"
    """Another payee, another currency, or lines that were not ordered so."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line; `number` counts from 1. `net_minor` is the price of the whole quantity."""

    number: int
    name: str
    quantity: Decimal
    net_minor: int
    received: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class PurchaseOrder:
    """`payee_id` is who may bill it. `invoiced_minor` is what other live invoices billed, net."""

    id: UUID
    number: str
    payee_id: PayeeId
    currency: Asset
    receipt_required: bool
    closed: bool
    lines: tuple[OrderLine, ...]
    invoiced_minor: int = 0

    @property
    def total_minor(self) -> int:
        return sum(line.net_minor for line in self.lines)

    @property
    def received_minor(self) -> Fraction:
        """The price of what was received; no line counts for more than was ordered of it."""
        return sum(
            (
                line.net_minor * min(Fraction(1), Fraction(line.received) / Fraction(line.quantity))
                for line in self.lines
            ),
            Fraction(0),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """Goods of one order line that came in. `reference` is the delivery note's number."""

    order_number: str
    line: int
    quantity: Decimal
    reference: str
    received_on: date


@dataclass(frozen=True, slots=True)
class Billed:
    """What an invoice bills on an order: net amount, and quantities by order line where it says them."""

    payee_id: PayeeId | None
    currency: Asset | None
    net_minor: int | None
    quantities: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """By how much a bill may exceed order and receipt: permille of amount and of quantity."""

    amount_permille: int = 10
    quantity_permille: int = 0


@dataclass(frozen=True, slots=True)
class OrderMatch:
    """What the three-way match says, with a sentence for people. `billed_minor` is what counts against
    the order `order_id`, in its currency's base units, rounded up.
    """

    state: MatchState
    reason: str
    order_id: UUID | None = None
    billed_minor: int | None = None

    @property
    def code(self) -> str:
        return f"PO_{self.state.value.upper()}"


def match_order(
    named: str | None, order: PurchaseOrder | None, billed: Billed, tolerance: Tolerance
) -> OrderMatch:
    """Hold a bill against its order and what was received. The gravest difference is told."""
    if order is None:
        which = f"order {named[:40]} is not known here" if named else "the bill names no order"
        return OrderMatch(MatchState.NO_ORDER, which)

    billed_minor: int | None = None

    def says(state: MatchState, reason: str) -> OrderMatch:
        return OrderMatch(state, f"order {order.number}: {reason}", order.id, billed_minor)

    if order.payee_id != billed.payee_id:
        return says(MatchState.MISMATCH, "it was placed with another payee")
    if billed.currency is None or order.currency.symbol != billed.currency.symbol:
        return says(MatchState.MISMATCH, "it was placed in another currency")
    if billed.net_minor is None:
        return says(MatchState.MISMATCH, "the bill's net amount could not be read")
    # In the order's unit: an invoice in a stablecoin may be kept with other decimals.
    billed_minor = -(-billed.net_minor * order.currency.base_units // billed.currency.base_units)
    if order.closed:
        return says(MatchState.CLOSED, "it is closed; nothing more is billed on it")
    if reason := _lines_differ(order, billed, tolerance):
        return says(MatchState.MISMATCH, reason)
    asked = order.invoiced_minor + billed_minor
    allowance = 1 + Fraction(tolerance.amount_permille, 1000)
    if asked > order.total_minor * allowance:
        return says(MatchState.OVER, "more is billed than was ordered")
    if order.receipt_required and asked > order.received_minor * allowance:
        return says(MatchState.UNDER_RECEIPT, "more is billed than was received")
    return says(MatchState.MATCHED, "order, receipt and bill agree")


def _lines_differ(order: PurchaseOrder, billed: Billed, tolerance: Tolerance) -> str | None:
    """Why the bill's lines are not the order's; None where they agree or the bill has none."""
    ordered = {line.name.casefold(): line for line in order.lines}
    allowance = 1 + Fraction(tolerance.quantity_permille, 1000)
    for name, quantity in billed.quantities.items():
        line = ordered.get(name.casefold())
        if line is None:
            return f"{name[:60]} was not ordered"
        if Fraction(quantity) > Fraction(line.quantity) * allowance:
            return f"more of {name[:60]} is billed than was ordered"
    return None
