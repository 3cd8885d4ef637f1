"""Owns the SQL that tells the currency of an organization's books. Must never stand in for one that a
document states.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.invoices.terms import invoice_asset
from treasurer.kernel.ids import OrganizationId
from treasurer.kernel.money import Asset

_OWN = text("SELECT reporting_currency FROM organizations WHERE id = :organization_id")


async def own_currency(
    connection: AsyncConnection, organization_id: OrganizationId
) -> Asset | None:
    """The reporting currency, None when no invoice can be kept in it."""
    found = await connection.execute(_OWN, {"organization_id": organization_id})
    return invoice_asset(str(found.scalar_one()))
