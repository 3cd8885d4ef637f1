"""Owns the SQL of an organization's wallets. Must never choose a nonce outside the wallet's lock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import OrganizationId, WalletId

_INSERT = text("""
    INSERT INTO wallets (organization_id, id, chain_id, address, label, state, next_nonce, created_at,
                         opened_block)
    VALUES (:organization_id, :id, :chain_id, :address, :label, 'active', :next_nonce, :now,
            :opened_block)
""")
_ACTIVE = """
    SELECT w.id, w.chain_id, w.address, w.label, w.state, w.next_nonce, (
        SELECT count(*) FROM transfers t
        WHERE t.organization_id = w.organization_id AND t.wallet_id = w.id
          AND t.live) AS live_transfers
    FROM wallets w WHERE w.organization_id = :organization_id AND w.chain_id = :chain_id
      AND w.state = 'active' ORDER BY w.id
"""
_READ = text(_ACTIVE)
_LOCK = text(_ACTIVE + " FOR NO KEY UPDATE OF w")
# Locked in the order of their ids first, as by every writer of several.
_TAKE_NONCES = text("""
    WITH locked AS MATERIALIZED (
        SELECT w.id, n.count FROM wallets w
        JOIN unnest(CAST(:ids AS uuid[]), CAST(:counts AS bigint[])) AS n (id, count) ON n.id = w.id
        WHERE w.organization_id = :organization_id ORDER BY w.id FOR NO KEY UPDATE OF w)
    UPDATE wallets w SET next_nonce = w.next_nonce + l.count FROM locked l
    WHERE w.organization_id = :organization_id AND w.id = l.id RETURNING w.id, w.next_nonce
""")


@dataclass(frozen=True, slots=True)
class Wallet:
    """An address that pays. `live_transfers` have not ended; at most sixteen are let in flight."""

    id: WalletId
    chain_id: int
    address: str
    label: str
    state: str
    next_nonce: int
    live_transfers: int


async def insert(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    wallet: Wallet,
    now: datetime,
    *,
    opened_block: int | None = None,
) -> None:
    """Enrol a wallet whose books open with its balances and its nonce at `opened_block`; without one its
    deposits are not followed.
    """
    await connection.execute(
        _INSERT,
        {
            "organization_id": organization_id,
            "id": wallet.id,
            "chain_id": wallet.chain_id,
            "address": wallet.address,
            "label": wallet.label,
            "next_nonce": wallet.next_nonce,
            "opened_block": opened_block,
            "now": now,
        },
    )


async def active(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    chain_id: int,
    *,
    lock: bool = False,
) -> list[Wallet]:
    """Wallets that may pay on that chain, by id; with `lock`, held until the commit."""
    rows = await connection.execute(
        _LOCK if lock else _READ, {"organization_id": organization_id, "chain_id": chain_id}
    )
    return [_wallet(row) for row in rows.mappings()]


async def take_nonces(
    connection: AsyncConnection, organization_id: OrganizationId, counts: Mapping[WalletId, int]
) -> dict[WalletId, range]:
    """Give out the next so many nonces of each wallet, gapless; locks them until the commit."""
    rows = await connection.execute(
        _TAKE_NONCES,
        {
            "organization_id": organization_id,
            "ids": list(counts),
            "counts": list(counts.values()),
        },
    )
    return {WalletId(id_): range(end - counts[id_], end) for id_, end in rows}


def _wallet(row: RowMapping) -> Wallet:
    return Wallet(
        id=WalletId(row["id"]),
        chain_id=row["chain_id"],
        address=row["address"],
        label=row["label"],
        state=row["state"],
        next_nonce=row["next_nonce"],
        live_transfers=row["live_transfers"],
    )
