"""Owns the SQL of delegations. Must never show one that was revoked or whose time is over as live."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import OrganizationId, UserId

_COLUMNS = "id, delegator_id, delegate_id, starts_at, ends_at, created_at, revoked_at"
_INSERT = text("""
    INSERT INTO vote_delegations (organization_id, id, delegator_id, delegate_id, starts_at,
                                  ends_at, created_at)
    VALUES (:organization_id, :id, :delegator_id, :delegate_id, :starts_at, :ends_at, :created_at)
""")
_OF = text(f"""
    SELECT {_COLUMNS} FROM vote_delegations
    WHERE organization_id = :organization_id AND revoked_at IS NULL AND ends_at > :now
      AND (delegator_id = :user_id OR delegate_id = :user_id)
    ORDER BY id DESC LIMIT 100
""")
_LIVE = text(f"""
    SELECT {_COLUMNS} FROM vote_delegations
    WHERE organization_id = :organization_id AND revoked_at IS NULL
      AND starts_at <= :now AND ends_at > :now
      AND (delegate_id = CAST(:delegate_id AS uuid) OR delegator_id = ANY(CAST(:delegators AS uuid[])))
    ORDER BY id
""")
_REVOKE = text(f"""
    UPDATE vote_delegations SET revoked_at = :now
    WHERE organization_id = :organization_id AND id = :id AND delegator_id = :delegator_id
      AND revoked_at IS NULL AND ends_at > :now
    RETURNING {_COLUMNS}
""")


@dataclass(frozen=True, slots=True)
class Delegation:
    """`delegator_id` lets `delegate_id` vote with their roles, from `starts_at` until `ends_at`."""

    id: UUID
    delegator_id: UserId
    delegate_id: UserId
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    revoked_at: datetime | None = None


async def insert(
    connection: AsyncConnection, organization_id: OrganizationId, delegation: Delegation
) -> None:
    """Store a new delegation."""
    await connection.execute(
        _INSERT,
        {
            "organization_id": organization_id,
            "id": delegation.id,
            "delegator_id": delegation.delegator_id,
            "delegate_id": delegation.delegate_id,
            "starts_at": delegation.starts_at,
            "ends_at": delegation.ends_at,
            "created_at": delegation.created_at,
        },
    )


async def of_user(
    connection: AsyncConnection, organization_id: OrganizationId, user_id: UserId, now: datetime
) -> list[Delegation]:
    """What this person gave or was given and is not over, newest first; some may begin later."""
    rows = await connection.execute(
        _OF, {"organization_id": organization_id, "user_id": user_id, "now": now}
    )
    return [_delegation(row) for row in rows.mappings()]


async def live(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    now: datetime,
    *,
    delegate_id: UserId | None = None,
    delegators: Collection[UserId] = (),
) -> list[Delegation]:
    """Delegations in force at `now`: to that delegate, or by any of those delegators."""
    rows = await connection.execute(
        _LIVE,
        {
            "organization_id": organization_id,
            "now": now,
            "delegate_id": delegate_id,
            "delegators": list(delegators),
        },
    )
    return [_delegation(row) for row in rows.mappings()]


async def revoke(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    delegation_id: UUID,
    delegator_id: UserId,
    now: datetime,
) -> Delegation | None:
    """End a delegation of this delegator; None where there is none in force or to come."""
    rows = await connection.execute(
        _REVOKE,
        {
            "organization_id": organization_id,
            "id": delegation_id,
            "delegator_id": delegator_id,
            "now": now,
        },
    )
    row = rows.mappings().one_or_none()
    return _delegation(row) if row else None


def _delegation(row: RowMapping) -> Delegation:
    return Delegation(
        id=row["id"],
        delegator_id=UserId(row["delegator_id"]),
        delegate_id=UserId(row["delegate_id"]),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
    )
