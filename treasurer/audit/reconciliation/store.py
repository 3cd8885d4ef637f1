"""Owns the SQL of reconciliations: whose turn it is, and what was found last.

Must never change a finished one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit.reconciliation.model import Report
from treasurer.kernel.ids import OrganizationId

ABANDONED_AFTER = timedelta(hours=1)
"""A worker that died while it reconciled is waited for no longer."""

# One unfinished row an organization, so that of several workers one has the turn.
_BEGIN = text("""
    INSERT INTO reconciliations AS r (organization_id, id, started_at)
    SELECT CAST(:organization_id AS uuid), CAST(:id AS uuid), CAST(:now AS timestamptz)
    WHERE NOT EXISTS (
        SELECT FROM reconciliations d WHERE d.organization_id = :organization_id
          AND d.finished_at IS NOT NULL AND d.started_at >= CAST(:since AS timestamptz))
      AND EXISTS (
        SELECT FROM organizations o
        WHERE o.id = :organization_id AND o.created_at < CAST(:since AS timestamptz))
    ON CONFLICT (organization_id) WHERE finished_at IS NULL
    DO UPDATE SET id = excluded.id, started_at = excluded.started_at
    WHERE r.started_at < CAST(:abandoned AS timestamptz)
    RETURNING id
""")
_FINISH = text("""
    INSERT INTO reconciliations AS r (organization_id, id, started_at, finished_at, block_number,
        clean, report)
    VALUES (:organization_id, :id, :started_at, :finished_at, :block_number, :clean,
        CAST(:report AS jsonb))
    ON CONFLICT (organization_id, id) DO UPDATE SET finished_at = excluded.finished_at,
        block_number = excluded.block_number, clean = excluded.clean, report = excluded.report
    WHERE r.finished_at IS NULL
""")
_LAST = text("""
    SELECT id, report FROM reconciliations
    WHERE organization_id = :organization_id AND finished_at IS NOT NULL ORDER BY id DESC LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A finished reconciliation as it was stored; `document` is `Report.document`."""

    id: UUID
    document: dict[str, Any]


async def begin(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    id_: UUID,
    *,
    now: datetime,
    since: datetime,
) -> bool:
    """Take the turn unless one began since `since` or runs now; say whether it was taken.

    An organization that is younger than `since` has its first turn the next time.
    """
    taken = await connection.execute(
        _BEGIN,
        {
            "organization_id": organization_id,
            "id": id_,
            "now": now,
            "since": since,
            "abandoned": now - ABANDONED_AFTER,
        },
    )
    return taken.one_or_none() is not None


async def finish(
    connection: AsyncConnection, organization_id: OrganizationId, id_: UUID, report: Report
) -> None:
    """Store what was found."""
    await connection.execute(
        _FINISH,
        {
            "organization_id": organization_id,
            "id": id_,
            "started_at": report.started_at,
            "finished_at": report.finished_at,
            "block_number": report.block_number,
            "clean": report.clean,
            "report": orjson.dumps(report.document()).decode(),
        },
    )


async def last(connection: AsyncConnection, organization_id: OrganizationId) -> StoredReport | None:
    """The newest finished one; None before the first."""
    row = (await connection.execute(_LAST, {"organization_id": organization_id})).one_or_none()
    return None if row is None else StoredReport(row.id, row.report)
