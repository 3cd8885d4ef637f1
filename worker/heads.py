"""Owns when heads of audit chains are signed: seconds after they moved. Must never hide a refusal."""

import structlog
from sqlalchemy import text

from treasurer.audit.port import HeadSigner
from treasurer.audit.service import AuditService
from treasurer.db.engine import Database
from treasurer.incidents.model import IncidentKind
from treasurer.incidents.service import IncidentService
from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import OrganizationId

# Not "less than": a head that lies below its signature was cut, and the signer will say so.
_MOVED = text("""
    SELECT organization_id FROM audit_heads WHERE sequence <> coalesce(signed_sequence, 0)
""")

log = structlog.get_logger("worker.heads")


async def sign_heads(
    database: Database, audit: AuditService, signer: HeadSigner, incidents: IncidentService
) -> int:
    """Have the head of every organization signed whose chain moved; return how many were."""
    async with database.claims() as connection:
        moved = [OrganizationId(row[0]) for row in await connection.execute(_MOVED)]
    if not moved:
        return 0
    audit.pin(await signer.head_public_key())
    signed = 0
    for organization_id in moved:
        try:
            await audit.sign_head(organization_id, signer)
            signed += 1
        except InvariantViolated as fault:
            # One organization's tampered history must not keep the others' from being signed.
            log.error(
                "audit.head_refused",
                organization_id=str(organization_id),
                code=fault.code,
                message=fault.message,
            )
            await incidents.report(
                organization_id,
                IncidentKind.HEAD_REFUSED,
                organization_id,
                f"{fault.code} {fault.message}",
            )
    return signed
