"""Owns the match of a read invoice with its purchase order. Must never lower a difference to a note."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.documents.reading import FieldValue, Reading
from treasurer.invoices.terms import Terms
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import InvoiceId, OrganizationId, PayeeId
from treasurer.kernel.money import Asset, parse_decimal, to_minor
from treasurer.purchases import store as purchases
from treasurer.purchases.model import (
    Billed,
    OrderMatch,
    Tolerance,
    match_order,
)
from treasurer.purchases.service import order_key

MOST_TAX_PERCENT = 30
"""No VAT or sales tax is higher; more than that on top of the net amount is billed on the order."""


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
    net = billed_net(reading.fields, terms)
    key = order_key(number)
    order = (
        await purchases.by_key(connection, organization_id, key, but=invoice_id, lock=lock)
        if key
        else None
    )
    billed = Billed(payee_id, terms.currency, net, _quantities(reading.fields))
    return match_order(number or None, order, billed, Tolerance())


def billed_net(fields: Mapping[str, FieldValue], terms: Terms) -> int | None:
    """What a bill counts for on its order: BT-109, but never less than what is due without the tax.

    Prose need not print the tax, so a net amount is the document's word alone: beside `Net: 100.00` it
    may ask for 10,000.00.
    """
    due = terms.payable_amount_minor
    if not isinstance(fields.get("tax_exclusive_amount"), str) or terms.currency is None:
        return due
    net, tax = (
        _minor(fields, name, terms.currency) for name in ("tax_exclusive_amount", "tax_amount")
    )
    if net is None or due is None:
        return net
    return max(net, due - max(0, min(tax or 0, net * MOST_TAX_PERCENT // 100)))


def _minor(fields: Mapping[str, FieldValue], name: str, currency: Asset) -> int | None:
    printed = fields.get(name)
    try:
        return to_minor(parse_decimal(printed), currency) if isinstance(printed, str) else None
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
