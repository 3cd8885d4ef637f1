"""Owns the SQL of audit events and seals. Must never update or delete an event."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit.model import (
    GENESIS_HASH,
    AuditEvent,
    SealedEvent,
    commitment,
    seal_hash,
)
from treasurer.db.pipeline import Executes
from treasurer.kernel.audit_head import SignedHead
from treasurer.kernel.ids import NewId, OrganizationId

_APPEND = text("""
    WITH appended AS (
        INSERT INTO audit_events (organization_id, id, aggregate, aggregate_id, version, kind,
                                  actor_id, payload, salt, commitment, occurred_at)
        SELECT :organization_id, e.id, e.aggregate, e.aggregate_id,
               coalesce((SELECT max(a.version) FROM audit_events a
                         WHERE a.organization_id = :organization_id
                           AND a.aggregate_id = e.aggregate_id), 0)
               + row_number() OVER (PARTITION BY e.aggregate_id ORDER BY e.position),
               e.kind, e.actor_id, e.payload::jsonb, e.salt, e.commitment, :now
        FROM unnest(CAST(:ids AS uuid[]), CAST(:aggregates AS text[]),
                    CAST(:aggregate_ids AS uuid[]), CAST(:kinds AS text[]),
                    CAST(:actors AS uuid[]), CAST(:payloads AS text[]),
                    CAST(:salts AS bytea[]), CAST(:commitments AS bytea[]))
             WITH ORDINALITY AS e (id, aggregate, aggregate_id, kind, actor_id, payload, salt,
                                   commitment, position)
        ORDER BY e.position
        RETURNING organization_id, id)
    INSERT INTO audit_unsealed (organization_id, event_id) SELECT organization_id, id FROM appended
""")

_EVENT_COLUMNS = """e.id AS event_id, e.aggregate, e.aggregate_id, e.version, e.kind,
    e.occurred_at, e.commitment, e.salt, e.actor_id, e.payload"""

_LOCK_HEAD = text("""
    INSERT INTO audit_heads (organization_id, hash) VALUES (:organization_id, :genesis)
    ON CONFLICT (organization_id) DO UPDATE SET sequence = audit_heads.sequence
    RETURNING sequence, hash
""")
# The oldest first: with a later version of an aggregate sealed before an earlier one, the chain would
# never verify again.
_TAKE_UNSEALED = text(f"""
    WITH taken AS (
        DELETE FROM audit_unsealed WHERE (organization_id, event_id) IN (
            SELECT u.organization_id, u.event_id FROM audit_unsealed u
            JOIN audit_events w ON w.organization_id = u.organization_id AND w.id = u.event_id
            WHERE u.organization_id = :organization_id ORDER BY w.cursor LIMIT :most)
        RETURNING event_id)
    SELECT {_EVENT_COLUMNS} FROM audit_events e JOIN taken t ON t.event_id = e.id
    WHERE e.organization_id = :organization_id ORDER BY e.cursor
""")
_INSERT_SEALS = text("""
    INSERT INTO audit_seals (organization_id, sequence, event_id, hash)
    SELECT :organization_id, * FROM unnest(CAST(:sequences AS bigint[]), CAST(:ids AS uuid[]),
                                           CAST(:hashes AS bytea[]))
""")
_MOVE_HEAD = text("""
    UPDATE audit_heads SET sequence = :sequence, hash = :hash
    WHERE organization_id = :organization_id
""")
_SEALED_PAGE = text(f"""
    SELECT s.sequence, s.hash, {_EVENT_COLUMNS}
    FROM audit_seals s JOIN audit_events e
      ON e.organization_id = s.organization_id AND e.id = s.event_id
    WHERE s.organization_id = :organization_id AND s.sequence > :after
    ORDER BY s.sequence LIMIT :most
""")
_HEAD = text("""
    SELECT sequence, hash, signed_sequence, signature FROM audit_heads
    WHERE organization_id = :organization_id
""")
_HASH_OF = text("""
    SELECT hash FROM audit_seals WHERE organization_id = :organization_id AND sequence = :sequence
""")
_KEEP_SIGNATURE = text("""
    UPDATE audit_heads SET signed_sequence = :sequence, signature = :signature
    WHERE organization_id = :organization_id AND coalesce(signed_sequence, 0) <= :sequence
""")
_EVENT_PAGE = text("""
    SELECT cursor, aggregate, aggregate_id, version, kind, actor_id, payload, occurred_at
    FROM audit_events WHERE organization_id = :organization_id
      AND (CAST(:before AS bigint) IS NULL OR cursor < :before)
      AND (CAST(:aggregate_id AS uuid) IS NULL OR aggregate_id = :aggregate_id)
    ORDER BY cursor DESC LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest seal, and the newest signature with the seal that it covers."""

    sequence: int
    hash: bytes
    signed_sequence: int | None
    signature: bytes | None


async def append(
    connection: Executes,
    organization_id: OrganizationId,
    events: Sequence[AuditEvent],
    *,
    now: datetime,
    new_id: NewId,
) -> None:
    """Record `events` in the caller's transaction; versions count up for each aggregate.

    Writers of one aggregate hold its row lock; a race would break the unique version and roll back.
    """
    if not events:
        return
    salts = [secrets.token_bytes(16) for _ in events]
    await connection.execute(
        _APPEND,
        {
            "organization_id": organization_id,
            "now": now,
            "ids": [new_id() for _ in events],
            "aggregates": [event.aggregate for event in events],
            "aggregate_ids": [event.aggregate_id for event in events],
            "kinds": [event.kind for event in events],
            "actors": [event.actor_id for event in events],
            "payloads": [orjson.dumps(event.payload).decode() for event in events],
            "salts": salts,
            "commitments": [
                commitment(salt, event.actor_id, event.payload)
                for salt, event in zip(salts, events, strict=True)
            ],
        },
    )


async def seal(
    connection: AsyncConnection, organization_id: OrganizationId, *, most: int = 1000
) -> int:
    """Chain up to `most` unsealed events under the head's lock; return how many were sealed."""
    head = (
        (
            await connection.execute(
                _LOCK_HEAD, {"organization_id": organization_id, "genesis": GENESIS_HASH}
            )
        )
        .mappings()
        .one()
    )
    rows = (
        (
            await connection.execute(
                _TAKE_UNSEALED, {"organization_id": organization_id, "most": most}
            )
        )
        .mappings()
        .all()
    )
    if not rows:
        return 0
    sequence, previous = int(head["sequence"]), bytes(head["hash"])
    sealed: list[SealedEvent] = []
    for row in rows:
        sequence += 1
        event = _event(row, sequence, b"")
        previous = seal_hash(previous, event)
        sealed.append(replace(event, hash=previous))
    await connection.execute(
        _INSERT_SEALS,
        {
            "organization_id": organization_id,
            "sequences": [event.sequence for event in sealed],
            "ids": [event.event_id for event in sealed],
            "hashes": [event.hash for event in sealed],
        },
    )
    await connection.execute(
        _MOVE_HEAD, {"organization_id": organization_id, "sequence": sequence, "hash": previous}
    )
    return len(sealed)


async def sealed_page(
    connection: AsyncConnection, organization_id: OrganizationId, *, after: int, most: int
) -> list[SealedEvent]:
    """Sealed events in chain order, for the verifier."""
    rows = await connection.execute(
        _SEALED_PAGE, {"organization_id": organization_id, "after": after, "most": most}
    )
    return [_event(row, row["sequence"], bytes(row["hash"])) for row in rows.mappings()]


async def head(
    connection: AsyncConnection, organization_id: OrganizationId
) -> tuple[int, bytes] | None:
    """The newest seal's sequence and hash, or None before the first."""
    found = await head_and_signature(connection, organization_id)
    return (found.sequence, found.hash) if found else None


async def head_and_signature(
    connection: AsyncConnection, organization_id: OrganizationId
) -> Head | None:
    """The organization's head as it is kept, or None before the first seal."""
    rows = await connection.execute(_HEAD, {"organization_id": organization_id})
    row = rows.mappings().one_or_none()
    return None if row is None else Head(**row)


async def hash_of(
    connection: AsyncConnection, organization_id: OrganizationId, sequence: int
) -> bytes | None:
    """The hash of one seal, None if there is no such seal."""
    found = await connection.execute(
        _HASH_OF, {"organization_id": organization_id, "sequence": sequence}
    )
    return found.scalar_one_or_none()


async def keep_signature(connection: AsyncConnection, signed: SignedHead) -> None:
    """Store the signature; one over a later head that another worker stored stays."""
    await connection.execute(
        _KEEP_SIGNATURE,
        {
            "organization_id": signed.head.organization_id,
            "sequence": signed.head.sequence,
            "signature": signed.signature,
        },
    )


async def event_page(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    *,
    before: int | None,
    aggregate_id: UUID | None,
    most: int,
) -> list[RowMapping]:
    """Newest events first, keyset by cursor, sealed or not."""
    rows = await connection.execute(
        _EVENT_PAGE,
        {
            "organization_id": organization_id,
            "before": before,
            "aggregate_id": aggregate_id,
            "most": most,
        },
    )
    return list(rows.mappings())


def _event(row: RowMapping, sequence: int, hash_: bytes) -> SealedEvent:
    return SealedEvent(
        sequence=sequence,
        event_id=row["event_id"],
        aggregate=row["aggregate"],
        aggregate_id=row["aggregate_id"],
        version=row["version"],
        kind=row["kind"],
        occurred_at=row["occurred_at"],
        commitment=bytes(row["commitment"]),
        hash=hash_,
        salt=row["salt"],
        actor_id=row["actor_id"],
        payload=row["payload"],
    )
