"""Owns the SQL by which payments are read with all that their facts come from. Must never write.

Must never hand out a payment whose order is not that of its digest.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from policy.background import SanctionsFact, history_of
from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import OrganizationId, PaymentId, UserId
from treasurer.kernel.order import parse_order
from treasurer.payments.facts import Candidate
from treasurer.payments.store import COLUMNS, JOINS, payment_of

_CANDIDATES = text(f"""
    SELECT {COLUMNS}, p.reserve_attempts, p.alone, y.state AS payee_state, d.address,
        d.state AS address_state,
        greatest(d.cooling_off_until, y.cooling_off_until) AS cooling_off_until, d.changed_by,
        i.currency_decimals, i.purchase_state, i.submitted_by,
        coalesce(i.findings, '[]') AS invoice_findings, y.created_at AS payee_since,
        d.created_at AS address_since, coalesce(p.category, '') AS category,
        ARRAY(SELECT r.role FROM user_roles r WHERE r.organization_id = p.organization_id
              AND r.user_id = p.initiator_id ORDER BY r.role) AS initiator_roles,
        ARRAY(SELECT e.label FROM sanctions_entries e WHERE e.organization_id = p.organization_id
              AND (e.kind = 'address' AND e.key = d.address
                   OR e.kind = 'name' AND e.key = y.name_key) ORDER BY e.label) AS sanctions_hits,
        coalesce((SELECT jsonb_agg(jsonb_build_object('reviewer_id', w.reviewer_id, 'accepted',
                      w.accepted, 'stated', w.stated) ORDER BY w.id) FROM invoice_reviews w
                  WHERE w.organization_id = p.organization_id AND w.invoice_id = p.invoice_id),
                 '[]') AS reviews,
        l.loaded_at AS sanctions_as_of, h.paid_minor, h.to_address,
        i.open_amount_minor - coalesce((
            SELECT sum(a.amount_minor) FROM allocations a
            WHERE a.organization_id = p.organization_id AND a.invoice_id = p.invoice_id
              AND a.payment_id <> p.id AND a.state = 'live'), 0) AS invoice_open_minor
    {JOINS}
    JOIN payee_addresses d ON d.organization_id = p.organization_id AND d.id = p.payee_address_id
    LEFT JOIN sanctions_lists l ON l.organization_id = p.organization_id
    CROSS JOIN LATERAL (
        SELECT array_agg(x.reporting_amount_minor) AS paid_minor,
            count(*) FILTER (WHERE x.payee_address_id = p.payee_address_id) AS to_address
        FROM (SELECT s.reporting_amount_minor, s.payee_address_id FROM payments s
              WHERE s.organization_id = p.organization_id AND s.payee_id = p.payee_id
                AND s.state = 'settled' ORDER BY s.settled_at DESC LIMIT 50) x) h
    WHERE p.organization_id = :organization_id AND p.id = ANY(:ids) ORDER BY p.id
""")


async def candidates(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[PaymentId]
) -> list[Candidate]:
    """The payments with all rows that their facts come from, in one query."""
    rows = await connection.execute(
        _CANDIDATES, {"organization_id": organization_id, "ids": list(ids)}
    )
    return [_candidate(row) for row in rows.mappings()]


def _candidate(row: RowMapping) -> Candidate:
    payment = payment_of(row)
    order = parse_order(payment.order_bytes)
    if order.digest != payment.order_digest:
        raise InvariantViolated(
            "ORDER_CHANGED", f"payment {payment.id} carries another order than its digest"
        )
    open_minor, decimals = row["invoice_open_minor"], row["currency_decimals"]
    return Candidate(
        payment=payment,
        order=order,
        payee_state=row["payee_state"],
        address=row["address"],
        address_state=row["address_state"],
        cooling_off_until=row["cooling_off_until"],
        address_changed_by=UserId(row["changed_by"]),
        invoice_open_minor=int(open_minor) if open_minor is not None else None,
        invoice_decimals=int(decimals) if decimals is not None else None,
        invoice_findings=row["invoice_findings"],
        purchase_state=row["purchase_state"],
        submitted_by=UserId(row["submitted_by"]) if row["submitted_by"] else None,
        reviews=row["reviews"],
        reserve_attempts=row["reserve_attempts"],
        payee_since=row["payee_since"],
        address_since=row["address_since"],
        category=row["category"],
        initiator_roles=tuple(row["initiator_roles"]),
        history=history_of(list(map(int, row["paid_minor"] or ())), row["to_address"]),
        sanctions=SanctionsFact(tuple(row["sanctions_hits"]), row["sanctions_as_of"])
        if row["sanctions_as_of"]
        else None,
        alone=row["alone"],
    )
