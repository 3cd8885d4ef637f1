"""Owns the SQL of attempts: the signed bytes of each slot. Must never change or drop one."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from saga.transfer import Attempt
from treasurer.kernel.ids import OrganizationId, TransferId
from treasurer.kernel.transaction import FeeTerms

_INSERT = text("""
    INSERT INTO attempts (organization_id, transfer_id, number, kind, chain_id, transaction_hash,
        call_digest, raw, max_fee_per_gas_wei, max_priority_fee_per_gas_wei, created_at)
    SELECT :organization_id, a.transfer_id, a.number, 'payment', a.chain_id, a.hash, a.digest,
        a.raw, a.max_fee, a.priority_fee, :now
    FROM unnest(CAST(:transfers AS uuid[]), CAST(:numbers AS smallint[]),
                CAST(:chains AS bigint[]), CAST(:hashes AS bytea[]), CAST(:digests AS bytea[]),
                CAST(:raws AS bytea[]), CAST(:max_fees AS numeric[]),
                CAST(:priority_fees AS numeric[]))
         AS a (transfer_id, number, chain_id, hash, digest, raw, max_fee, priority_fee)
""")
_ATTEMPTS = text("""
    SELECT a.transfer_id, a.number, a.transaction_hash, a.call_digest, a.raw,
        a.max_fee_per_gas_wei, a.max_priority_fee_per_gas_wei, t.gas_limit
    FROM attempts a JOIN transfers t
      ON t.organization_id = a.organization_id AND t.id = a.transfer_id
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
            "now": now,
            "transfers": [attempt.transfer_id for attempt in attempts],
            "numbers": [attempt.number for attempt in attempts],
            "chains": [chain_id for _ in attempts],
            "hashes": [attempt.transaction_hash for attempt in attempts],
            "digests": [attempt.call_digest for attempt in attempts],
            "raws": [attempt.raw for attempt in attempts],
            "max_fees": [attempt.fees.max_fee_per_gas_wei for attempt in attempts],
            "priority_fees": [a.fees.max_priority_fee_per_gas_wei for a in attempts],
        },
    )


async def of_transfers(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[TransferId]
) -> dict[TransferId, list[Attempt]]:
    """All signed transactions of each slot, oldest first."""
    rows = await connection.execute(
        _ATTEMPTS, {"organization_id": organization_id, "ids": list(ids)}
    )
    found: dict[TransferId, list[Attempt]] = defaultdict(list)
    for row in rows.mappings():
        transfer_id = TransferId(row["transfer_id"])
        found[transfer_id].append(
            Attempt(
                transfer_id=transfer_id,
                number=row["number"],
                transaction_hash=bytes(row["transaction_hash"]),
                call_digest=bytes(row["call_digest"]),
                raw=bytes(row["raw"]),
                fees=FeeTerms(
                    gas_limit=row["gas_limit"],
                    max_fee_per_gas_wei=int(row["max_fee_per_gas_wei"]),
                    max_priority_fee_per_gas_wei=int(row["max_priority_fee_per_gas_wei"]),
                ),
            )
        )
    return found
