"""Owns the SQL of attempts: the signed bytes of each slot. Must never change or drop one."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from saga.transfer import Attempt, AttemptKind
from treasurer.kernel.ids import OrganizationId, TransferId
from treasurer.kernel.transaction import CANCEL_GAS, FeeTerms

# What the signer recorded for a slot is the same for whoever asks: a second worker that stores it
# stores nothing new. Other bytes under the same hash or number break a key.
_INSERT = text("""
    INSERT INTO attempts (organization_id, transfer_id, number, kind, chain_id, transaction_hash,
        call_digest, raw, max_fee_per_gas_wei, max_priority_fee_per_gas_wei, created_at)
    SELECT :organization_id, a.transfer_id, a.number, a.kind, :chain_id, a.hash, a.digest,
        a.raw, a.max_fee, a.priority_fee, :now
    FROM unnest(CAST(:transfers AS uuid[]), CAST(:numbers AS smallint[]), CAST(:kinds AS text[]),
                CAST(:hashes AS bytea[]), CAST(:digests AS bytea[]), CAST(:raws AS bytea[]),
                CAST(:max_fees AS numeric[]), CAST(:priority_fees AS numeric[]))
         AS a (transfer_id, number, kind, hash, digest, raw, max_fee, priority_fee)
    WHERE NOT EXISTS (
        SELECT FROM attempts o WHERE o.organization_id = :organization_id
          AND o.transfer_id = a.transfer_id AND o.number = a.number AND o.raw = a.raw)
""")
# The newest attempt of each slot: once a cancel is persisted, the payment's bytes are never sent again.
_NEWEST = text("""
    SELECT DISTINCT ON (transfer_id) transfer_id, raw FROM attempts
    WHERE organization_id = :organization_id AND transfer_id = ANY(:ids)
    ORDER BY transfer_id, number DESC
""")
_HASHES = text("""
    SELECT transfer_id, transaction_hash, kind FROM attempts
    WHERE organization_id = :organization_id AND transfer_id = ANY(:ids)
    ORDER BY transfer_id, number
""")
_HISTORY = text("""
    SELECT a.transfer_id, a.number, a.kind, a.transaction_hash, a.call_digest, a.raw,
        a.max_fee_per_gas_wei, a.max_priority_fee_per_gas_wei, a.created_at, t.gas_limit
    FROM attempts a JOIN transfers t ON t.organization_id = :organization_id AND t.id = a.transfer_id
    WHERE a.organization_id = :organization_id AND a.transfer_id = ANY(:ids)
    ORDER BY a.transfer_id, a.number
""")


async def insert(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    chain_id: int,
    attempts: Sequence[Attempt],
    now: datetime,
) -> None:
    """Persist signed bytes: nothing is sent that does not stand here (I3)."""
    await connection.execute(
        _INSERT,
        {
            "organization_id": organization_id,
            "chain_id": chain_id,
            "now": now,
            "transfers": [attempt.transfer_id for attempt in attempts],
            "numbers": [attempt.number for attempt in attempts],
            "kinds": [attempt.kind.value for attempt in attempts],
            "hashes": [attempt.transaction_hash for attempt in attempts],
            "digests": [attempt.call_digest for attempt in attempts],
            "raws": [attempt.raw for attempt in attempts],
            "max_fees": [attempt.fees.max_fee_per_gas_wei for attempt in attempts],
            "priority_fees": [a.fees.max_priority_fee_per_gas_wei for a in attempts],
        },
    )


async def newest_raw(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[TransferId]
) -> dict[TransferId, bytes]:
    """What a provider gets for each slot: the bytes of its newest attempt."""
    rows = await connection.execute(_NEWEST, {"organization_id": organization_id, "ids": list(ids)})
    return {TransferId(row[0]): bytes(row[1]) for row in rows}


async def hashes(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[TransferId]
) -> dict[TransferId, dict[bytes, AttemptKind]]:
    """The hashes of all signed transactions of each slot, oldest first: any of them may be mined, also a
    cancel of a slot that is not being cancelled.
    """
    rows = await connection.execute(_HASHES, {"organization_id": organization_id, "ids": list(ids)})
    found: dict[TransferId, dict[bytes, AttemptKind]] = defaultdict(dict)
    for row in rows:
        found[TransferId(row[0])][bytes(row[1])] = AttemptKind(row[2])
    return found


async def history(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[TransferId]
) -> dict[TransferId, list[Attempt]]:
    """All attempts of each slot, oldest first. For slots in trouble: the straight path reads less."""
    rows = await connection.execute(
        _HISTORY, {"organization_id": organization_id, "ids": list(ids)}
    )
    found: dict[TransferId, list[Attempt]] = defaultdict(list)
    for row in rows.mappings():
        found[TransferId(row["transfer_id"])].append(_attempt(row))
    return found


def _attempt(row: RowMapping) -> Attempt:
    kind = AttemptKind(row["kind"])
    return Attempt(
        transfer_id=TransferId(row["transfer_id"]),
        number=row["number"],
        kind=kind,
        transaction_hash=bytes(row["transaction_hash"]),
        call_digest=bytes(row["call_digest"]),
        raw=bytes(row["raw"]),
        fees=FeeTerms(
            CANCEL_GAS if kind is AttemptKind.CANCEL else row["gas_limit"],
            int(row["max_fee_per_gas_wei"]),
            int(row["max_priority_fee_per_gas_wei"]),
        ),
        created_at=row["created_at"],
    )
