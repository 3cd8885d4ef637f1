"""Owns the SQL of allocations: which part of an invoice a payment is about, while it lives and after.

Must never allocate more than is open: the caller holds the invoice's lock (I17).
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import InvoiceId, OrganizationId, PaymentId

_INSERT = text("""
    INSERT INTO allocations (organization_id, payment_id, invoice_id, amount_minor, state)
    VALUES (:organization_id, :payment_id, :invoice_id, :amount_minor, 'live')
""")
_SETTLE = text("""
    WITH settled AS (
        UPDATE allocations SET state = 'settled'
        WHERE organization_id = :organization_id AND payment_id = ANY(:ids) AND state = 'live'
        RETURNING invoice_id, amount_minor),
    sums AS (SELECT invoice_id, sum(amount_minor) AS amount FROM settled GROUP BY invoice_id)
    UPDATE invoices i SET open_amount_minor = i.open_amount_minor - s.amount,
        state = CASE WHEN i.open_amount_minor = s.amount THEN 'paid' ELSE i.state END
    FROM sums s WHERE i.organization_id = :organization_id AND i.id = s.invoice_id
    RETURNING i.id, i.state
""")
_RELEASE = text("""
    WITH released AS (
        UPDATE allocations SET state = 'released'
        WHERE organization_id = :organization_id AND payment_id = ANY(:ids) AND state = 'live'
        RETURNING invoice_id)
    UPDATE invoices i SET state = 'needs_review' FROM released r
    WHERE i.organization_id = :organization_id AND i.id = r.invoice_id AND i.state = 'proposed'
    RETURNING i.id
""")


async def insert(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    payment_id: PaymentId,
    invoice_id: InvoiceId,
    amount_minor: int,
) -> None:
    """Set a part of an invoice aside for a payment, in base units of the invoice's currency."""
    await connection.execute(
        _INSERT,
        {
            "organization_id": organization_id,
            "payment_id": payment_id,
            "invoice_id": invoice_id,
            "amount_minor": amount_minor,
        },
    )


async def settle(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[PaymentId]
) -> list[tuple[InvoiceId, str]]:
    """Close what settled payments were about; the invoices touched, with their states."""
    rows = await connection.execute(_SETTLE, {"organization_id": organization_id, "ids": list(ids)})
    return [(InvoiceId(row[0]), row[1]) for row in rows]


async def release(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[PaymentId]
) -> list[InvoiceId]:
    """Give the invoices of ended payments back their open amount; return those that went to review."""
    rows = await connection.execute(
        _RELEASE, {"organization_id": organization_id, "ids": list(ids)}
    )
    return [InvoiceId(row.id) for row in rows]
