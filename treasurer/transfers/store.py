"""Owns the SQL of resolutions. Must never change a transfer: the saga does, with evidence."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import OrganizationId, TransferId, UserId
from treasurer.transfers.model import (
    QuarantinedTransfer,
    Resolution,
    ResolutionId,
    ResolutionOutcome,
)

_COLUMNS = """r.id AS resolution_id, r.transfer_id, r.outcome, r.reason, r.proposed_by, r.proposed_at,
    r.confirmed_by, r.confirmed_at, r.claimed_at, r.ended_at, r.result"""
_QUARANTINED = text(f"""
    SELECT t.id, t.sender, t.nonce, t.reason AS why, t.created_at, array(
        SELECT i.payment_id FROM transfer_items i
        WHERE i.organization_id = t.organization_id AND i.transfer_id = t.id ORDER BY i.position
    ) AS payment_ids, {_COLUMNS}
    FROM transfers t LEFT JOIN transfer_resolutions r
      ON r.organization_id = t.organization_id AND r.transfer_id = t.id AND r.ended_at IS NULL
    WHERE t.organization_id = :organization_id AND t.quarantined ORDER BY t.id LIMIT 200
""")
_IS_QUARANTINED = text("""
    SELECT state = 'quarantined' FROM transfers
    WHERE organization_id = :organization_id AND id = :id FOR NO KEY UPDATE
""")
_PROPOSE = text("""
    INSERT INTO transfer_resolutions (organization_id, id, transfer_id, outcome, reason, proposed_by,
        proposed_at)
    VALUES (:organization_id, :id, :transfer_id, :outcome, :reason, :user_id, :now)
    ON CONFLICT (organization_id, transfer_id) WHERE ended_at IS NULL DO NOTHING RETURNING id
""")
_OPEN = text(f"""
    SELECT {_COLUMNS} FROM transfer_resolutions r
    WHERE r.organization_id = :organization_id AND r.transfer_id = :transfer_id
      AND r.ended_at IS NULL FOR UPDATE
""")
_ONE = text(f"""
    SELECT {_COLUMNS} FROM transfer_resolutions r
    WHERE r.organization_id = :organization_id AND r.id = :id AND r.ended_at IS NULL FOR UPDATE
""")
_CONFIRM = text("""
    UPDATE transfer_resolutions SET confirmed_by = :user_id, confirmed_at = :now
    WHERE organization_id = :organization_id AND id = :id AND confirmed_at IS NULL
""")
_CLAIM = text("""
    UPDATE transfer_resolutions SET claimed_at = :now
    WHERE organization_id = :organization_id AND id = :id AND claimed_at IS NULL
""")
_LEAVE = text("""
    UPDATE transfer_resolutions SET claimed_at = NULL
    WHERE organization_id = :organization_id AND id = :id AND ended_at IS NULL
""")
_END = text("""
    UPDATE transfer_resolutions SET ended_at = :now, result = :result
    WHERE organization_id = :organization_id AND id = :id AND ended_at IS NULL
""")
_CONFIRMED = text("""
    SELECT organization_id, id FROM transfer_resolutions
    WHERE ended_at IS NULL AND confirmed_at IS NOT NULL ORDER BY confirmed_at LIMIT 50
""")


async def quarantined(
    connection: AsyncConnection, organization_id: OrganizationId
) -> list[QuarantinedTransfer]:
    """What waits for people, oldest first."""
    rows = await connection.execute(_QUARANTINED, {"organization_id": organization_id})
    return [
        QuarantinedTransfer(
            id=TransferId(row["id"]),
            sender=row["sender"],
            nonce=row["nonce"],
            reason=row["why"],
            payment_ids=tuple(row["payment_ids"]),
            created_at=row["created_at"],
            open=_resolution(row) if row["resolution_id"] else None,
        )
        for row in rows.mappings()
    ]


async def is_quarantined(
    connection: AsyncConnection, organization_id: OrganizationId, transfer_id: TransferId
) -> bool | None:
    """Whether the transfer is quarantined, held until the commit; None if there is no such transfer."""
    row = await connection.execute(
        _IS_QUARANTINED, {"organization_id": organization_id, "id": transfer_id}
    )
    found: bool | None = row.scalar_one_or_none()
    return found


async def propose(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    resolution: Resolution,
) -> bool:
    """Store a proposal; False when another one is open."""
    row = await connection.execute(
        _PROPOSE,
        {
            "organization_id": organization_id,
            "id": resolution.id,
            "transfer_id": resolution.transfer_id,
            "outcome": resolution.outcome.value,
            "reason": resolution.reason,
            "user_id": resolution.proposed_by,
            "now": resolution.proposed_at,
        },
    )
    return row.one_or_none() is not None


async def open_resolution(
    connection: AsyncConnection, organization_id: OrganizationId, transfer_id: TransferId
) -> Resolution | None:
    """The transfer's open proposal, locked until the commit."""
    rows = await connection.execute(
        _OPEN, {"organization_id": organization_id, "transfer_id": transfer_id}
    )
    row = rows.mappings().one_or_none()
    return _resolution(row) if row else None


async def lock(
    connection: AsyncConnection, organization_id: OrganizationId, resolution_id: ResolutionId
) -> Resolution | None:
    """A resolution that has not ended, locked until the commit."""
    rows = await connection.execute(_ONE, {"organization_id": organization_id, "id": resolution_id})
    row = rows.mappings().one_or_none()
    return _resolution(row) if row else None


async def confirm(
    connection: AsyncConnection, organization_id: OrganizationId, resolution: Resolution
) -> None:
    """Write the second person down."""
    await connection.execute(
        _CONFIRM,
        {
            "organization_id": organization_id,
            "id": resolution.id,
            "user_id": resolution.confirmed_by,
            "now": resolution.confirmed_at,
        },
    )


async def claim(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    resolution_id: ResolutionId,
    now: datetime,
) -> None:
    """Say that the saga acts on a resolution, which the caller holds: it is rejected no more."""
    await connection.execute(
        _CLAIM, {"organization_id": organization_id, "id": resolution_id, "now": now}
    )


async def leave(
    connection: AsyncConnection, organization_id: OrganizationId, resolution_id: ResolutionId
) -> None:
    """Give up a claim of a resolution, which the caller holds: nothing was done, it may be rejected."""
    await connection.execute(_LEAVE, {"organization_id": organization_id, "id": resolution_id})


async def end(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    resolution_id: ResolutionId,
    *,
    result: str,
    now: datetime,
) -> None:
    """Close a resolution with what came of it."""
    await connection.execute(
        _END,
        {"organization_id": organization_id, "id": resolution_id, "result": result, "now": now},
    )


async def confirmed(connection: AsyncConnection) -> list[tuple[OrganizationId, ResolutionId]]:
    """Resolutions that two people agreed on and the saga has not looked at; as the system role."""
    rows = await connection.execute(_CONFIRMED)
    return [(OrganizationId(row[0]), ResolutionId(row[1])) for row in rows]


def _resolution(row: RowMapping) -> Resolution:
    return Resolution(
        id=ResolutionId(row["resolution_id"]),
        transfer_id=TransferId(row["transfer_id"]),
        outcome=ResolutionOutcome(row["outcome"]),
        reason=row["reason"],
        proposed_by=UserId(row["proposed_by"]),
        proposed_at=row["proposed_at"],
        confirmed_by=UserId(row["confirmed_by"]) if row["confirmed_by"] else None,
        confirmed_at=row["confirmed_at"],
        claimed_at=row["claimed_at"],
        ended_at=row["ended_at"],
        result=row["result"],
    )
