"""Owns the SQL by which an invoice becomes a payment. Must never let one invoice be proposed twice."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.errors import Conflict
from treasurer.kernel.ids import InvoiceId, OrganizationId, PayeeId, UserId
from treasurer.kernel.money import Asset
from treasurer.kernel.organization import PrincipalKind

_LOCK = text("""
    SELECT i.id, i.state, i.payee_id, i.currency, i.currency_decimals, u.id AS initiator_id,
        u.kind AS initiator_kind, i.open_amount_minor - coalesce((
            SELECT sum(a.amount_minor) FROM allocations a
            WHERE a.organization_id = i.organization_id AND a.invoice_id = i.id
              AND a.state = 'live'), 0) AS unallocated_minor
    FROM invoices i
    JOIN users u ON u.organization_id = i.organization_id AND u.id = coalesce((
        SELECT w.reviewer_id FROM invoice_reviews w
        WHERE w.organization_id = i.organization_id AND w.invoice_id = i.id
        ORDER BY w.id DESC LIMIT 1), i.submitted_by)
    WHERE i.organization_id = :organization_id AND i.id = :id FOR UPDATE OF i
""")
_PROPOSED = text("""
    UPDATE invoices SET state = 'proposed'
    WHERE organization_id = :organization_id AND id = :id AND state = 'reading'
      AND kind = 'invoice'
""")


@dataclass(frozen=True, slots=True)
class Proposable:
    """A read invoice under its row lock. `unallocated_minor` is what no payment is about yet.

    The initiator is who reviewed it last, else who submitted it: whoever vouched for it is its maker.
    """

    id: InvoiceId
    state: str
    payee_id: PayeeId | None
    currency: Asset | None
    unallocated_minor: int
    initiator_id: UserId
    initiator_kind: PrincipalKind


async def lock(
    connection: AsyncConnection, organization_id: OrganizationId, invoice_id: InvoiceId
) -> Proposable | None:
    """The invoice, locked until the commit; None if the organization has none of that id."""
    rows = await connection.execute(_LOCK, {"organization_id": organization_id, "id": invoice_id})
    row = rows.mappings().one_or_none()
    if row is None:
        return None
    currency = row["currency"]
    return Proposable(
        id=InvoiceId(row["id"]),
        state=row["state"],
        payee_id=PayeeId(row["payee_id"]) if row["payee_id"] else None,
        currency=Asset(currency, row["currency_decimals"]) if currency else None,
        unallocated_minor=int(row["unallocated_minor"] or 0),
        initiator_id=UserId(row["initiator_id"]),
        initiator_kind=PrincipalKind(row["initiator_kind"]),
    )


async def mark_proposed(
    connection: AsyncConnection, organization_id: OrganizationId, invoice_id: InvoiceId
) -> None:
    """The unique index over canonical numbers has the last word, which a twin's commit may be waited
    for. Raises Conflict DUPLICATE_INVOICE, after which the transaction is lost and must be left.
    """
    parameters = {"organization_id": organization_id, "id": invoice_id}
    try:
        await connection.execute(_PROPOSED, parameters)
    except IntegrityError as error:
        diagnosis = getattr(error.orig, "diag", None)
        if getattr(diagnosis, "constraint_name", None) != "invoices_canonical":
            raise
        raise Conflict(
            "DUPLICATE_INVOICE",
            "another invoice of this payee and number is being paid or was paid",
        ) from error
