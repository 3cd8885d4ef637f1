"""Owns the audit log as people read it: newest first, with names. Must never change an event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.kernel.ids import OrganizationId
from treasurer.reports.people import Person, names

MOST_UNSEALED = 1000
"""Unsealed events are counted up to here: a sealer that far behind stands still."""

_UNSEALED = text("""
    SELECT count(*) FROM (SELECT FROM audit_unsealed
                          WHERE organization_id = :organization_id LIMIT :most) waiting
""")


@dataclass(frozen=True, slots=True)
class ChainState:
    """The newest seal, how many events wait for theirs (at most MOST_UNSEALED are counted), and the last
    seal that the signer signed: kept, not verified here.
    """

    sequence: int
    hash: bytes | None
    unsealed: int
    signed_sequence: int | None


@dataclass(frozen=True, slots=True)
class TrailEvent:
    """One event. `actor` is None where the system acted; an erased payload is empty."""

    cursor: int
    at: datetime
    aggregate: str
    aggregate_id: UUID
    version: int
    kind: str
    actor: Person | None
    payload: Mapping[str, Any]


async def chain_state(connection: AsyncConnection, organization_id: OrganizationId) -> ChainState:
    """Where the organization's hash chain stands."""
    found = await audit.head_and_signature(connection, organization_id)
    unsealed = await connection.execute(
        _UNSEALED, {"organization_id": organization_id, "most": MOST_UNSEALED}
    )
    waiting = int(unsealed.scalar_one())
    if found is None:
        return ChainState(0, None, waiting, None)
    return ChainState(found.sequence, found.hash, waiting, found.signed_sequence)


async def trail_page(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    *,
    before: int | None,
    aggregate_id: UUID | None,
    most: int,
) -> tuple[TrailEvent, ...]:
    """Newest first, keyset by cursor; of one aggregate where one is named."""
    rows = await audit.event_page(
        connection, organization_id, before=before, aggregate_id=aggregate_id, most=most
    )
    return await named(connection, organization_id, rows)


async def named(
    connection: AsyncConnection, organization_id: OrganizationId, rows: Sequence[RowMapping]
) -> tuple[TrailEvent, ...]:
    """Rows of audit events with the names of those who acted."""
    people = await names(connection, organization_id, (row["actor_id"] for row in rows))
    return tuple(
        TrailEvent(
            cursor=row["cursor"],
            at=row["occurred_at"],
            aggregate=row["aggregate"],
            aggregate_id=row["aggregate_id"],
            version=row["version"],
            kind=row["kind"],
            actor=people.get(row["actor_id"]),
            payload=row["payload"] or {},
        )
        for row in rows
    )
