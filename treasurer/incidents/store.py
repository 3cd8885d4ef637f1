"""Owns the SQL of incidents. Must never open a second one for what is open."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.incidents.model import Incident, IncidentId, IncidentKind
from treasurer.kernel.ids import NewId, OrganizationId, UserId

_COLUMNS = """id, kind, subject_id, message, opened_at, acknowledged_by, acknowledged_at, closed_by,
    closed_at, note"""
_OPEN = text("""
    INSERT INTO incidents (organization_id, id, kind, subject_id, message, opened_at)
    SELECT :organization_id, i.id, :kind, i.subject, i.message, :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:subjects AS uuid[]), CAST(:messages AS text[]))
         AS i (id, subject, message)
    ON CONFLICT (organization_id, kind, subject_id) WHERE closed_at IS NULL DO NOTHING
    RETURNING id, subject_id, message
""")
_PAGE = text(f"""
    SELECT {_COLUMNS} FROM incidents
    WHERE organization_id = :organization_id AND (closed_at IS NULL) = :open
      AND id < coalesce(CAST(:before AS uuid), 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    ORDER BY id DESC LIMIT :most
""")
_LOCK = text(f"""
    SELECT {_COLUMNS} FROM incidents
    WHERE organization_id = :organization_id AND id = :id FOR UPDATE
""")
_ACKNOWLEDGE = text("""
    UPDATE incidents SET acknowledged_by = :user_id, acknowledged_at = :now, note = :note
    WHERE organization_id = :organization_id AND id = :id
""")
_CLOSE = text("""
    UPDATE incidents SET closed_by = :user_id, closed_at = :now, note = :note
    WHERE organization_id = :organization_id AND id = :id
""")


async def open_incidents(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    kind: IncidentKind,
    messages: Sequence[tuple[UUID, str]],
    *,
    now: datetime,
    new_id: NewId,
) -> None:
    """One for each (subject, message) that has none open, with its audit event, in the caller's commit."""
    if not messages:
        return
    rows = await connection.execute(
        _OPEN,
        {
            "organization_id": organization_id,
            "kind": kind.value,
            "now": now,
            "ids": [new_id() for _ in messages],
            "subjects": [subject for subject, _ in messages],
            "messages": [message for _, message in messages],
        },
    )
    events = [
        AuditEvent(
            "incident",
            row.id,
            "incident.opened",
            {"kind": kind.value, "subject_id": str(row.subject_id), "message": row.message},
        )
        for row in rows
    ]
    if events:
        await audit.append(connection, organization_id, events, now=now, new_id=new_id)


async def page(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    *,
    open_: bool,
    before: IncidentId | None,
    most: int,
) -> list[Incident]:
    """Open or closed ones, newest first, from before an id on."""
    rows = await connection.execute(
        _PAGE,
        {"organization_id": organization_id, "open": open_, "before": before, "most": most},
    )
    return [_incident(row) for row in rows.mappings()]


async def lock(
    connection: AsyncConnection, organization_id: OrganizationId, incident_id: IncidentId
) -> Incident | None:
    """The incident, held until the commit."""
    rows = await connection.execute(_LOCK, {"organization_id": organization_id, "id": incident_id})
    row = rows.mappings().one_or_none()
    return _incident(row) if row else None


async def answer(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    incident_id: IncidentId,
    user_id: UserId,
    note: str,
    now: datetime,
    *,
    close: bool,
) -> None:
    """Write down who looked at it, or closed it, and what they say."""
    await connection.execute(
        _CLOSE if close else _ACKNOWLEDGE,
        {
            "organization_id": organization_id,
            "id": incident_id,
            "user_id": user_id,
            "note": note,
            "now": now,
        },
    )


def _incident(row: RowMapping) -> Incident:
    return Incident(
        id=IncidentId(row["id"]),
        kind=IncidentKind(row["kind"]),
        subject_id=row["subject_id"],
        message=row["message"],
        opened_at=row["opened_at"],
        acknowledged_by=UserId(row["acknowledged_by"]) if row["acknowledged_by"] else None,
        acknowledged_at=row["acknowledged_at"],
        closed_by=UserId(row["closed_by"]) if row["closed_by"] else None,
        closed_at=row["closed_at"],
        note=row["note"],
    )
