"""Owns when audit events are sealed: within a second. Must never skip an organization."""

from sqlalchemy import text

from treasurer.audit.service import AuditService
from treasurer.db.engine import Database
from treasurer.db.turns import each
from treasurer.kernel.ids import OrganizationId

_UNSEALED = text("SELECT DISTINCT organization_id FROM audit_unsealed")


async def seal_all(database: Database, audit: AuditService) -> int:
    """Seal every organization's unsealed events; return how many there were."""
    async with database.claims() as connection:
        organizations = [(OrganizationId(row[0]),) for row in await connection.execute(_UNSEALED)]
    return await each("seal", organizations, audit.seal)
