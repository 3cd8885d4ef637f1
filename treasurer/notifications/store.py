"""Owns the SQL of queued mails and who gets them. Must never queue the same news twice."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import OrganizationId
from treasurer.notifications.model import (
    Notification,
    NotificationId,
    NotificationKind,
    NotificationState,
)

_COLUMNS = """id, organization_id, kind, subject_id, recipient, state, attempts, claimed_until,
    error, created_at, sent_at"""

_INSERT = text("""
    INSERT INTO notifications (organization_id, id, kind, subject_id, recipient, state, created_at)
    SELECT :organization_id, n.id, :kind, n.subject_id, n.recipient, 'queued', :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:subjects AS uuid[]), CAST(:recipients AS text[]))
         AS n (id, subject_id, recipient)
    ON CONFLICT (organization_id, kind, subject_id, recipient) DO NOTHING
    RETURNING id
""")
_GET = text(f"""
    SELECT {_COLUMNS} FROM notifications WHERE organization_id = :organization_id AND id = :id
""")
_CLAIM = text(f"""
    UPDATE notifications SET claimed_until = :claimed_until, attempts = attempts + 1
    WHERE organization_id = :organization_id AND id = :id AND state = 'queued'
      AND (claimed_until IS NULL OR claimed_until <= :now)
    RETURNING {_COLUMNS}
""")
_CLOSE = text("""
    UPDATE notifications SET state = :state, sent_at = :sent_at, error = :error,
                             claimed_until = NULL
    WHERE organization_id = :organization_id AND id = :id AND state = 'queued'
""")
_RELEASE = text("""
    UPDATE notifications SET claimed_until = NULL, error = :error
    WHERE organization_id = :organization_id AND id = :id AND state = 'queued'
      AND attempts = :attempts
""")
# Agents have no mailbox; a service account's address is one that its administrator reads.
_SUBMITTER = """FROM users u WHERE u.organization_id = s.organization_id AND u.id = s.submitter
    AND u.state = 'active' AND u.kind <> 'agent'"""
_PAYMENT_SUBMITTER = f"""
    SELECT s.id AS subject_id, u.email AS recipient FROM (
        SELECT p.organization_id, p.id, coalesce(i.submitted_by, p.initiator_id) AS submitter
        FROM payments p LEFT JOIN invoices i
          ON i.organization_id = p.organization_id AND i.id = p.invoice_id
        WHERE p.organization_id = :organization_id AND p.id = ANY(CAST(:subjects AS uuid[]))
    ) s CROSS JOIN LATERAL (SELECT u.email {_SUBMITTER}) u"""
_PAYEE = """
    SELECT p.id AS subject_id, y.email AS recipient FROM payments p
    JOIN payees y ON y.organization_id = p.organization_id AND y.id = p.payee_id
    WHERE p.organization_id = :organization_id AND p.id = ANY(CAST(:subjects AS uuid[]))
      AND y.email IS NOT NULL"""
_INVOICE_SUBMITTER = text(f"""
    SELECT s.id AS subject_id, u.email AS recipient FROM (
        SELECT organization_id, id, submitted_by AS submitter FROM invoices
        WHERE organization_id = :organization_id AND id = ANY(CAST(:subjects AS uuid[]))
    ) s CROSS JOIN LATERAL (SELECT u.email {_SUBMITTER}) u
""")
_CONCERNED = {
    NotificationKind.PAYMENT_REFUSED: text(_PAYMENT_SUBMITTER),
    NotificationKind.PAYMENT_SETTLED: text(f"{_PAYEE} UNION {_PAYMENT_SUBMITTER}"),
    NotificationKind.INVOICE_NEEDS_REVIEW: _INVOICE_SUBMITTER,
    NotificationKind.INVOICE_REJECTED: _INVOICE_SUBMITTER,
}


async def concerned(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    kind: NotificationKind,
    subjects: Sequence[UUID],
) -> list[tuple[UUID, str]]:
    """(subject, address) of everybody whom that kind of news about `subjects` is for."""
    rows = await connection.execute(
        _CONCERNED[kind], {"organization_id": organization_id, "subjects": list(subjects)}
    )
    return [(row.subject_id, row.recipient) for row in rows]


async def insert(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    kind: NotificationKind,
    mails: Sequence[tuple[NotificationId, UUID, str]],
    now: datetime,
) -> list[NotificationId]:
    """Queue (id, subject, address) each; return the ids of those that were not queued before."""
    rows = await connection.execute(
        _INSERT,
        {
            "organization_id": organization_id,
            "kind": kind.value,
            "ids": [mail[0] for mail in mails],
            "subjects": [mail[1] for mail in mails],
            "recipients": [mail[2] for mail in mails],
            "now": now,
        },
    )
    return [NotificationId(row.id) for row in rows]


async def get(
    connection: AsyncConnection, organization_id: OrganizationId, notification_id: NotificationId
) -> Notification | None:
    """The notification, whatever its state."""
    rows = await connection.execute(
        _GET, {"organization_id": organization_id, "id": notification_id}
    )
    row = rows.mappings().one_or_none()
    return _notification(row) if row else None


async def claim(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    notification_id: NotificationId,
    *,
    now: datetime,
    until: datetime,
) -> Notification | None:
    """Take the queued notification for one delivery, or None while another one is under way."""
    rows = await connection.execute(
        _CLAIM,
        {
            "organization_id": organization_id,
            "id": notification_id,
            "now": now,
            "claimed_until": until,
        },
    )
    row = rows.mappings().one_or_none()
    return _notification(row) if row else None


async def close(
    connection: AsyncConnection,
    notification: Notification,
    state: NotificationState,
    *,
    sent_at: datetime | None = None,
    error: str = "",
) -> bool:
    """Write the final state; False where a delivery that overtook this one has written it."""
    result = await connection.execute(
        _CLOSE,
        {
            "organization_id": notification.organization_id,
            "id": notification.id,
            "state": state.value,
            "sent_at": sent_at,
            "error": error,
        },
    )
    return result.rowcount == 1


async def release(connection: AsyncConnection, notification: Notification, error: str) -> None:
    """Give the claim back after a delivery that did not succeed, and keep why.

    A claim that ran out and was taken by another delivery meanwhile is left alone.
    """
    await connection.execute(
        _RELEASE,
        {
            "organization_id": notification.organization_id,
            "id": notification.id,
            "attempts": notification.attempts,
            "error": error,
        },
    )


def _notification(row: RowMapping) -> Notification:
    return Notification(
        id=NotificationId(row["id"]),
        organization_id=OrganizationId(row["organization_id"]),
        kind=NotificationKind(row["kind"]),
        subject_id=row["subject_id"],
        recipient=row["recipient"],
        state=NotificationState(row["state"]),
        attempts=row["attempts"],
        claimed_until=row["claimed_until"],
        error=row["error"],
        created_at=row["created_at"],
        sent_at=row["sent_at"],
    )
