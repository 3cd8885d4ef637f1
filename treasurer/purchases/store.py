"""Owns the SQL of orders and receipts. Must never change an order's lines once they are here."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import InvoiceId, OrganizationId, PayeeId, UserId
from treasurer.kernel.money import Asset
from treasurer.purchases.model import OrderLine, PurchaseOrder

_INSERT = text("""
    INSERT INTO purchase_orders (organization_id, id, number, number_key, payee_id, currency,
        currency_decimals, receipt_required, state, created_by, created_at)
    VALUES (:organization_id, :id, :number, :key, :payee_id, :currency, :decimals,
        :receipt_required, 'open', :created_by, :now)
    ON CONFLICT (organization_id, number_key) DO NOTHING
""")
_INSERT_LINES = text("""
    INSERT INTO purchase_order_lines (organization_id, order_id, line, name, quantity, net_minor)
    SELECT :organization_id, :id, l.line, l.name, l.quantity, l.net
    FROM unnest(CAST(:lines AS smallint[]), CAST(:names AS text[]), CAST(:quantities AS numeric[]),
                CAST(:nets AS numeric[])) AS l (line, name, quantity, net)
""")
_INSERT_RECEIPT = text("""
    INSERT INTO receipts (organization_id, order_id, line, reference, quantity, received_on,
                          created_by, created_at)
    VALUES (:organization_id, :order_id, :line, :reference, :quantity, :received_on, :created_by,
            :now)
    ON CONFLICT (organization_id, order_id, line, reference) DO NOTHING
""")
_RECEIPT = text("""
    SELECT quantity FROM receipts WHERE organization_id = :organization_id AND order_id = :order_id
      AND line = :line AND reference = :reference
""")
_CLOSE = text("""
    UPDATE purchase_orders SET state = 'closed'
    WHERE organization_id = :organization_id AND id = :id AND state = 'open'
""")
_COLUMNS = (
    """o.id, o.number, o.payee_id, o.currency, o.currency_decimals, o.receipt_required, o.state"""
)
# The order is locked where an invoice is judged by it, so that two invoices do not bill the same rest.
_BY_KEY = f"""SELECT {_COLUMNS} FROM purchase_orders o
    WHERE o.organization_id = :organization_id AND o.number_key = :key"""
_PAGE = text(f"""
    SELECT {_COLUMNS} FROM purchase_orders o WHERE o.organization_id = :organization_id
      AND (CAST(:before AS uuid) IS NULL OR o.id < :before) ORDER BY o.id DESC LIMIT :most
""")
_LINES = text("""
    SELECT l.order_id, l.line, l.name, l.quantity, l.net_minor, coalesce((
        SELECT sum(r.quantity) FROM receipts r WHERE r.organization_id = l.organization_id
          AND r.order_id = l.order_id AND r.line = l.line), 0) AS received
    FROM purchase_order_lines l
    WHERE l.organization_id = :organization_id AND l.order_id = ANY(:ids) ORDER BY l.order_id, l.line
""")
_INVOICED = text("""
    SELECT purchase_order_id, sum(order_net_minor) AS net FROM invoices
    WHERE organization_id = :organization_id AND purchase_order_id = ANY(:ids)
      AND state IN ('reading', 'proposed', 'paid', 'credited')
      AND (CAST(:but AS uuid) IS NULL OR id <> :but)
    GROUP BY purchase_order_id
""")


async def insert(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    order: PurchaseOrder,
    key: str,
    created_by: UserId,
    now: datetime,
) -> bool:
    """Write a new order; False when its number is here already."""
    result = await connection.execute(
        _INSERT,
        {
            "organization_id": organization_id,
            "id": order.id,
            "number": order.number,
            "key": key,
            "payee_id": order.payee_id,
            "currency": order.currency.symbol,
            "decimals": order.currency.decimals,
            "receipt_required": order.receipt_required,
            "created_by": created_by,
            "now": now,
        },
    )
    if result.rowcount != 1:
        return False
    await connection.execute(
        _INSERT_LINES,
        {
            "organization_id": organization_id,
            "id": order.id,
            "lines": [line.number for line in order.lines],
            "names": [line.name for line in order.lines],
            "quantities": [line.quantity for line in order.lines],
            "nets": [line.net_minor for line in order.lines],
        },
    )
    return True


async def insert_receipt(
    connection: AsyncConnection, organization_id: OrganizationId, **values: Any
) -> Decimal | None:
    """Write a receipt; the quantity of the one that is here under that reference, None if new."""
    parameters = {"organization_id": organization_id, **values}
    result = await connection.execute(_INSERT_RECEIPT, parameters)
    if result.rowcount == 1:
        return None
    rows = await connection.execute(
        _RECEIPT,
        {name: parameters[name] for name in ("organization_id", "order_id", "line", "reference")},
    )
    return Decimal(rows.scalar_one())


async def close(
    connection: AsyncConnection, organization_id: OrganizationId, order_id: UUID
) -> bool:
    """Close an open order; False when it was closed or is not here."""
    result = await connection.execute(_CLOSE, {"organization_id": organization_id, "id": order_id})
    return result.rowcount == 1


async def by_key(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    key: str,
    *,
    but: InvoiceId | None = None,
    lock: bool = False,
) -> PurchaseOrder | None:
    """The order of that number's key, with what was received and what invoices other than `but` bill."""
    statement = text(f"{_BY_KEY} FOR NO KEY UPDATE" if lock else _BY_KEY)
    rows = await connection.execute(statement, {"organization_id": organization_id, "key": key})
    found = await _orders(connection, organization_id, list(rows.mappings()), but)
    return found[0] if found else None


async def page(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    *,
    before: UUID | None,
    most: int,
) -> list[PurchaseOrder]:
    """Newest first, keyset by id."""
    rows = await connection.execute(
        _PAGE, {"organization_id": organization_id, "before": before, "most": most}
    )
    return await _orders(connection, organization_id, list(rows.mappings()), None)


async def _orders(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    rows: Sequence[Any],
    but: InvoiceId | None,
) -> list[PurchaseOrder]:
    if not rows:
        return []
    keys = {"organization_id": organization_id, "ids": [row["id"] for row in rows]}
    lines = (await connection.execute(_LINES, keys)).all()
    invoiced = {
        row.purchase_order_id: int(row.net)
        for row in await connection.execute(_INVOICED, keys | {"but": but})
    }
    return [
        PurchaseOrder(
            id=row["id"],
            number=row["number"],
            payee_id=PayeeId(row["payee_id"]),
            currency=Asset(row["currency"], row["currency_decimals"]),
            receipt_required=row["receipt_required"],
            closed=row["state"] == "closed",
            lines=tuple(
                OrderLine(line.line, line.name, line.quantity, int(line.net_minor), line.received)
                for line in lines
                if line.order_id == row["id"]
            ),
            invoiced_minor=invoiced.get(row["id"], 0),
        )
        for row in rows
    ]
