"""Owns the match of a read invoice with its purchase order. Must never lower a difference to a note."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.documents.reading import FieldValue, Reading
from treasurer.invoices.terms import Terms
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import InvoiceId, OrganizationId, PayeeId
from treasurer.kernel.money import parse_decimal, to_minor
from treasurer.purchases import store as purchases
from treasurer.purchases.model import (
    Billed,
    OrderMatch,
    Tolerance,
    match_order,
)
from treasurer.purchases.service import order_key


async def match_purchase(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    invoice_id: InvoiceId,
    reading: Reading,
    terms: Terms,
    payee_id: PayeeId | None,
    *,
    lock: bool,
) -> OrderMatch:
    """The three-way match of an invoice with the order that it names."""
    named = reading.fields.get("purchase_order")
    number = named.strip() if isinstance(named, str) else ""
    net = _net(reading.fields, terms)
    key = order_key(number)
    order = (
        await purchases.by_key(connection, organization_id, key, but=invoice_id, lock=lock)
        if key
        else None
    )
    billed = Billed(payee_id, terms.currency, net, _quantities(reading.fields))
    return match_order(number or None, order, billed, Tolerance())


def _net(fields: Mapping[str, FieldValue], terms: Terms) -> int | None:
    """BT-109 where it was read, else the amount due."""
    printed = fields.get("tax_exclusive_amount")
    if not isinstance(printed, str) or terms.currency is None:
        return terms.payable_amount_minor
    try:
        return to_minor(parse_decimal(printed), terms.currency)
    except InvalidInput:
        return None


def _quantities(fields: Mapping[str, FieldValue]) -> dict[str, Decimal]:
    """Billed quantities by name; lines of one name add up."""
    rows = fields.get("lines")
    found: dict[str, Decimal] = {}
    for row in rows if isinstance(rows, list) else []:
        name, quantity = (row.get("name"), row.get("quantity")) if isinstance(row, dict) else (0, 0)
        if not isinstance(name, str) or not isinstance(quantity, str):
            continue
        name = " ".join(name.split())
        try:
            found[name] = found.get(name, Decimal(0)) + Decimal(quantity)
        except InvalidOperation:
            continue
    return found
