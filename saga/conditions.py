"""Owns what may still stop a transfer: the kill conditions, read under one snapshot.

Must never be weaker than reserve: frozen, too late, payee or address revoked or replaced, wallet
stopped. Asked before a slot is given, before a signature, and before the first broadcast.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from saga.leases import Leased
from saga.transfer import TransferState
from treasurer.kernel.ids import TransferId

_FACTS = """
    FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS integer[])) AS l (id, fence)
    JOIN transfers t ON t.organization_id = :organization_id AND t.id = l.id
    JOIN transfer_items i ON i.organization_id = :organization_id AND i.transfer_id = t.id
    JOIN organizations o ON o.id = :organization_id
    JOIN wallets w ON w.organization_id = :organization_id AND w.id = t.wallet_id
    JOIN payments p ON p.organization_id = :organization_id AND p.id = i.payment_id
    JOIN payees y ON y.organization_id = :organization_id AND y.id = p.payee_id
    JOIN payee_addresses d ON d.organization_id = :organization_id AND d.id = p.payee_address_id
"""
# What is not proven clear is stopped, so a row that is missing anywhere stops its transfer too.
_CLEAR = text(f"""
    SELECT t.id {_FACTS} GROUP BY t.id HAVING bool_and(
        t.fence = l.fence AND t.state = :state AND NOT o.frozen AND o.mode = 'live'
        AND w.state = 'active' AND y.state = 'active' AND d.state = 'verified'
        AND d.address = i.recipient AND p.state = 'executing' AND p.not_after >= :now)
""")
_WHY = text(f"""
    SELECT t.id, t.fence = l.fence AND t.state = :state AS ours, o.frozen, o.mode,
        w.state AS wallet_state, y.state AS payee_state, d.state AS address_state, d.address,
        i.recipient, p.state AS payment_state, p.not_after < :now AS late
    {_FACTS}
""")


@dataclass(frozen=True, slots=True)
class Checked:
    """Who may go on, and why the others may not; and whether the organization only rehearses."""

    clear: frozenset[TransferId]
    reasons: Mapping[TransferId, str]
    dry_run: bool


async def check(
    connection: AsyncConnection, leased: Leased, state: TransferState, now: datetime
) -> Checked:
    """Ask lease, state and all kill conditions in one read; the reasons in a second, if any is met."""
    scope: dict[str, object] = {
        "organization_id": leased.organization_id,
        "state": state.value,
        "now": now,
    }
    clear = frozenset((await connection.execute(_CLEAR, scope | _arrays(leased))).scalars())
    held = leased.only(id_ for id_ in leased.fences if id_ not in clear)
    if not held.fences:
        return Checked(clear, {}, dry_run=False)
    reasons = dict.fromkeys(held.fences, "its payment, payee or wallet is not to be found")
    rows = (await connection.execute(_WHY, scope | _arrays(held))).mappings().all()
    for row in rows:
        reasons[TransferId(row["id"])] = _reason(row)
    return Checked(clear, reasons, dry_run=any(row["mode"] == "dry_run" for row in rows))


def _arrays(leased: Leased) -> dict[str, object]:
    return {"ids": list(leased.fences), "fences": list(leased.fences.values())}


def _reason(row: RowMapping) -> str:
    if not row["ours"]:
        return "another worker goes on with it"
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
    return "past its not_after" if row["late"] else "dry run: everything but signing"
