"""Owns the SQL by which credit notes reduce what is open of invoices. Must never pay one out.

A credit note belongs to one payee, and reduces the invoice that it names. One that names none, or an
invoice that is closed already, reduces the payee's next invoice. It never reduces more than is open, and
is given back when the invoice is not paid after all: it is submitted again as another row. The caller
holds the payee's lock, so that two invoices do not use one credit note.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.invoices.model import Invoice, InvoiceState
from treasurer.invoices.numbers import number_key
from treasurer.kernel.ids import InvoiceId, OrganizationId

_MOST = 50
"""How many credit notes one invoice takes; the rest wait for the next."""

_USABLE = text("""
    SELECT c.id, c.open_amount_minor FROM invoices c
    WHERE c.organization_id = :organization_id AND c.payee_id = :payee_id
      AND c.kind = 'credit_note' AND c.open_amount_minor > 0 AND c.state = 'credited'
      AND c.currency = :currency AND c.currency_decimals = :decimals
      AND (c.preceding_number_key IS NULL OR c.preceding_number_key = :number_key OR EXISTS (
          SELECT FROM invoices n
          WHERE n.organization_id = c.organization_id AND n.payee_id = c.payee_id
            AND n.invoice_number_key = c.preceding_number_key AND n.kind = 'invoice'
            AND n.state IN ('paid', 'credited')))
    ORDER BY c.preceding_number_key IS NOT DISTINCT FROM CAST(:number_key AS text) DESC, c.id
    LIMIT :most FOR NO KEY UPDATE OF c
""")
_ALLOCATE = text("""
    WITH allocated AS (
        INSERT INTO credit_allocations (organization_id, credit_note_id, invoice_id, amount_minor,
                                        state, created_at)
        SELECT :organization_id, a.id, :invoice_id, a.amount, 'settled', :now
        FROM unnest(CAST(:ids AS uuid[]), CAST(:amounts AS numeric[])) AS a (id, amount)
        ON CONFLICT (organization_id, credit_note_id, invoice_id)
            DO UPDATE SET amount_minor = EXCLUDED.amount_minor, state = 'settled'
        RETURNING credit_note_id, amount_minor),
    used AS (
        UPDATE invoices c SET open_amount_minor = c.open_amount_minor - a.amount_minor
        FROM allocated a WHERE c.organization_id = :organization_id AND c.id = a.credit_note_id)
    UPDATE invoices i SET open_amount_minor = i.open_amount_minor - :total,
        state = CASE WHEN i.open_amount_minor = :total THEN 'credited' ELSE i.state END
    WHERE i.organization_id = :organization_id AND i.id = :invoice_id AND i.state = 'reading'
      AND i.kind = 'invoice'
""")
_RELEASE = text("""
    WITH released AS (
        UPDATE credit_allocations SET state = 'released'
        WHERE organization_id = :organization_id AND invoice_id = ANY(:ids) AND state = 'settled'
        RETURNING credit_note_id, invoice_id, amount_minor),
    given_back AS (
        UPDATE invoices c SET open_amount_minor = c.open_amount_minor + r.amount
        FROM (SELECT credit_note_id, sum(amount_minor) AS amount FROM released GROUP BY 1) r
        WHERE c.organization_id = :organization_id AND c.id = r.credit_note_id)
    UPDATE invoices i SET open_amount_minor = i.open_amount_minor + r.amount
    FROM (SELECT invoice_id, sum(amount_minor) AS amount FROM released GROUP BY 1) r
    WHERE i.organization_id = :organization_id AND i.id = r.invoice_id
""")
# The credited invoice is locked, so that no payment of it is proposed meanwhile.
_NAMED = text("""
    SELECT i.id, i.state FROM invoices i
    JOIN invoices c ON c.organization_id = i.organization_id AND c.payee_id = i.payee_id
     AND c.preceding_number_key = i.invoice_number_key
    WHERE c.organization_id = :organization_id AND c.id = :credit_note_id AND i.kind = 'invoice'
      AND i.state IN ('reading', 'proposed')
    ORDER BY i.id LIMIT 1 FOR UPDATE OF i
""")


@dataclass(frozen=True, slots=True)
class Credited:
    """What an invoice was reduced by, in its currency's base units, and how many notes did it."""

    amount_minor: int
    notes: int


async def apply(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    invoice: Invoice,
    now: datetime,
) -> Credited:
    """Reduce what is open of a read invoice by the payee's open credit notes; `credited` at zero."""
    if invoice.state is not InvoiceState.READING or invoice.currency is None:
        return Credited(0, 0)
    rows = await connection.execute(
        _USABLE,
        {
            "organization_id": organization_id,
            "payee_id": invoice.payee_id,
            "currency": invoice.currency.symbol,
            "decimals": invoice.currency.decimals,
            "number_key": number_key(invoice.invoice_number or ""),
            "most": _MOST,
        },
    )
    left = invoice.open_amount_minor or 0
    amounts: dict[InvoiceId, int] = {}
    for row in rows:
        amount = min(left, int(row.open_amount_minor))
        if amount > 0:
            amounts[InvoiceId(row.id)] = amount
            left -= amount
    if amounts:
        await connection.execute(
            _ALLOCATE,
            {
                "organization_id": organization_id,
                "invoice_id": invoice.id,
                "ids": list(amounts),
                "amounts": list(amounts.values()),
                "total": sum(amounts.values()),
                "now": now,
            },
        )
    return Credited(sum(amounts.values()), len(amounts))


async def release(
    connection: AsyncConnection, organization_id: OrganizationId, ids: list[InvoiceId]
) -> None:
    """Give credit notes back what they reduced invoices by that are not paid after all."""
    if ids:
        await connection.execute(_RELEASE, {"organization_id": organization_id, "ids": ids})


async def named(
    connection: AsyncConnection, organization_id: OrganizationId, credit_note_id: InvoiceId
) -> tuple[InvoiceId, InvoiceState] | None:
    """The live invoice that a recorded credit note names, locked; None while there is none."""
    rows = await connection.execute(
        _NAMED, {"organization_id": organization_id, "credit_note_id": credit_note_id}
    )
    row = rows.one_or_none()
    return (InvoiceId(row.id), InvoiceState(row.state)) if row else None
