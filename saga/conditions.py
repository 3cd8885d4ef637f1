"""Owns what may still stop a transfer: the kill conditions, read under one snapshot.

Must never be weaker than reserve: frozen, too late, payee or address revoked or replaced, wallet
stopped. Asked before a slot is given, before a signature, and before the first broadcast.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from saga.transfer import Transfer
from treasurer.kernel.ids import OrganizationId, TransferId

_READ = text("""
    SELECT i.transfer_id, o.frozen, o.mode, w.state AS wallet_state, y.state AS payee_state,
        d.state AS address_state, d.address, i.recipient, p.state AS payment_state
    FROM transfer_items i
    JOIN transfers t ON t.organization_id = i.organization_id AND t.id = i.transfer_id
    JOIN organizations o ON o.id = i.organization_id
    JOIN wallets w ON w.organization_id = t.organization_id AND w.id = t.wallet_id
    JOIN payments p ON p.organization_id = i.organization_id AND p.id = i.payment_id
    JOIN payees y ON y.organization_id = p.organization_id AND y.id = p.payee_id
    JOIN payee_addresses d ON d.organization_id = p.organization_id AND d.id = p.payee_address_id
    WHERE i.organization_id = :organization_id AND i.transfer_id = ANY(:ids)
""")


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why each stopped transfer may not go on; and whether the organization only rehearses."""

    reasons: Mapping[TransferId, str]
    dry_run: bool


async def stopped(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    transfers: Sequence[Transfer],
    now: datetime,
) -> Stopped:
    """Ask all kill conditions of `transfers` in one read."""
    late = {t.id: "past its not_after" for t in transfers if now > t.order.not_after}
    rows = await connection.execute(
        _READ, {"organization_id": organization_id, "ids": [t.id for t in transfers]}
    )
    found = list(rows.mappings())
    reasons = {TransferId(row["transfer_id"]): reason for row in found if (reason := _reason(row))}
    return Stopped(late | reasons, dry_run=any(row["mode"] == "dry_run" for row in found))


def _reason(row: RowMapping) -> str | None:
    if row["frozen"]:
        return "the organization is frozen"
    if row["wallet_state"] != "active":
        return "the wallet is stopped"
    if row["payee_state"] != "active":
        return "the payee is suspended"
    if row["address_state"] != "verified" or row["address"] != row["recipient"]:
        return "the payee's address is no longer verified"
    if row["payment_state"] != "executing":
        return f"the payment is {row['payment_state']}"
    return None
