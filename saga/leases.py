"""Owns how workers share the due work: leases with fences. Must never read more than ids.

A lease that ran out is claimed by another worker with a higher fence; the first one's writes then
find nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from saga.transfer import TransferState
from treasurer.kernel.ids import OrganizationId, PaymentId, TransferId

_CLAIM = text("""
    WITH due AS (
        SELECT organization_id, id FROM transfers
        WHERE live AND next_at <= :now
          AND (lease_until IS NULL OR lease_until < :now)
        ORDER BY next_at LIMIT :most FOR UPDATE SKIP LOCKED)
    UPDATE transfers t SET lease_until = :until, fence = t.fence + 1 FROM due
    WHERE t.organization_id = due.organization_id AND t.id = due.id
    RETURNING t.organization_id, t.id, t.state, t.fence
""")
_TAKE = text("""
    UPDATE transfers SET lease_until = :until, fence = fence + 1
    WHERE organization_id = :organization_id AND id = :id AND state = 'quarantined'
      AND (lease_until IS NULL OR lease_until < :now)
    RETURNING fence
""")
_DUE_PAYMENTS = text("""
    SELECT organization_id, id FROM payments
    WHERE state IN ('proposed', 'approved') AND next_at <= :now ORDER BY next_at LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class Leased:
    """Transfers of one organization that this worker may advance, with the fences to prove it."""

    organization_id: OrganizationId
    fences: Mapping[TransferId, int]

    def only(self, ids: Iterable[TransferId]) -> "Leased":
        """The same lease, for some of its transfers."""
        return Leased(self.organization_id, {id_: self.fences[id_] for id_ in ids})


async def claim(
    connection: AsyncConnection, *, now: datetime, lease_s: int, most: int
) -> dict[OrganizationId, dict[TransferState, dict[TransferId, int]]]:
    """Lease up to `most` due transfers of any organization; as the system role."""
    rows = await connection.execute(
        _CLAIM, {"now": now, "until": now + timedelta(seconds=lease_s), "most": most}
    )
    claimed: dict[OrganizationId, dict[TransferState, dict[TransferId, int]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for row in rows.mappings():
        by_state = claimed[OrganizationId(row["organization_id"])]
        by_state[TransferState(row["state"])][TransferId(row["id"])] = row["fence"]
    return claimed


async def take(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    transfer_id: TransferId,
    *,
    now: datetime,
    lease_s: int,
) -> Leased:
    """Lease a quarantined transfer that two people resolved; empty while another worker has it."""
    rows = await connection.execute(
        _TAKE,
        {
            "organization_id": organization_id,
            "id": transfer_id,
            "now": now,
            "until": now + timedelta(seconds=lease_s),
        },
    )
    fence = rows.scalar_one_or_none()
    return Leased(organization_id, {} if fence is None else {transfer_id: fence})


async def due_payments(
    connection: AsyncConnection, *, now: datetime, most: int
) -> dict[OrganizationId, list[PaymentId]]:
    """Payments that wait for reserve and whose time has come, by organization; as the system role."""
    rows = await connection.execute(_DUE_PAYMENTS, {"now": now, "most": most})
    due: dict[OrganizationId, list[PaymentId]] = defaultdict(list)
    for row in rows:
        due[OrganizationId(row[0])].append(PaymentId(row[1]))
    return due
