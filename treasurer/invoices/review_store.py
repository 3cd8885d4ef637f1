"""Owns the SQL of invoices' reviews. Must never change one: the table takes inserts alone."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.invoices.review import InvoiceReview, Statement
from treasurer.kernel.ids import InvoiceId, OrganizationId, UserId

_INSERT = text("""
    INSERT INTO invoice_reviews (organization_id, id, invoice_id, reviewer_id, reason, accepted,
                                 stated, reviewed_at)
    VALUES (:organization_id, :id, :invoice_id, :reviewer_id, :reason, :accepted,
            CAST(:stated AS jsonb), :reviewed_at)
""")
_OF_INVOICE = text("""
    SELECT id, invoice_id, reviewer_id, reason, accepted, stated, reviewed_at FROM invoice_reviews
    WHERE organization_id = :organization_id AND invoice_id = :invoice_id ORDER BY id
""")


async def insert(
    connection: AsyncConnection, organization_id: OrganizationId, review: InvoiceReview
) -> None:
    """Store a review."""
    await connection.execute(
        _INSERT,
        {
            "organization_id": organization_id,
            "id": review.id,
            "invoice_id": review.invoice_id,
            "reviewer_id": review.reviewer_id,
            "reason": review.reason,
            "accepted": list(review.accepted),
            "stated": orjson.dumps(stated_json(review)).decode(),
            "reviewed_at": review.reviewed_at,
        },
    )


async def of_invoice(
    connection: AsyncConnection, organization_id: OrganizationId, invoice_id: InvoiceId
) -> list[InvoiceReview]:
    """The reviews of one invoice, oldest first."""
    rows = await connection.execute(
        _OF_INVOICE, {"organization_id": organization_id, "invoice_id": invoice_id}
    )
    return [
        InvoiceReview(
            id=row.id,
            invoice_id=InvoiceId(row.invoice_id),
            reviewer_id=UserId(row.reviewer_id),
            reason=row.reason,
            accepted=tuple(row.accepted),
            statements=_statements(row.stated),
            reviewed_at=row.reviewed_at,
        )
        for row in rows
    ]


def stated_json(review: InvoiceReview) -> dict[str, dict[str, str | None]]:
    """By field: what was read and what is stated."""
    return {
        statement.field: {"read": statement.read, "stated": statement.stated}
        for statement in review.statements
    }


def _statements(stored: Mapping[str, Any]) -> tuple[Statement, ...]:
    return tuple(
        Statement(name, values["read"], values["stated"]) for name, values in sorted(stored.items())
    )
