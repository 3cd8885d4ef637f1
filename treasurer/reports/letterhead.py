"""Owns the head of every page: whose it is, whether it pays, what waits. Must never read more."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.identity.freeze import FreezeState, read_freeze
from treasurer.kernel.ids import OrganizationId, UserId
from treasurer.reports.briefing import MOST_WAITING

_LETTERHEAD = text("""
    SELECT o.name, o.frozen, o.mode, u.name AS user_name, (
        SELECT count(*) FROM (SELECT FROM approval_requests r
            WHERE r.organization_id = o.id AND r.state = 'open' AND r.expires_at > :now
            LIMIT :most) open) AS waiting
    FROM organizations o JOIN users u ON u.organization_id = o.id AND u.id = :user_id
    WHERE o.id = :organization_id
""")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What every page says: whose it is, whether anything is paid, how many approvals wait.

    `freeze` is None while nothing is frozen.
    """

    organization_name: str
    user_name: str
    freeze: FreezeState | None
    live: bool
    waiting: int


async def read_letterhead(
    connection: AsyncConnection, organization_id: OrganizationId, user_id: UserId, now: datetime
) -> Letterhead:
    """The head of every page of one user."""
    found = await connection.execute(
        _LETTERHEAD,
        {
            "organization_id": organization_id,
            "user_id": user_id,
            "now": now,
            "most": MOST_WAITING,
        },
    )
    row = found.one()
    # Asked for only then, because every page reads this.
    freeze = await read_freeze(connection, organization_id) if row.frozen else None
    return Letterhead(row.name, row.user_name, freeze, row.mode == "live", int(row.waiting))
