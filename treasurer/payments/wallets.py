"""Owns the SQL of an organization's wallets. Must never choose a nonce outside the wallet's lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import OrganizationId, WalletId

_INSERT = text("""
    INSERT INTO wallets (organization_id, id, chain_id, address, label, state, next_nonce, created_at)
    VALUES (:organization_id, :id, :chain_id, :address, :label, 'active', :next_nonce, :now)
""")
_ACTIVE = """
    SELECT w.id, w.chain_id, w.address, w.label, w.state, w.next_nonce, (
        SELECT count(*) FROM transfers t
        WHERE t.organization_id = w.organization_id AND t.wallet_id = w.id
          AND t.state NOT IN ('settled', 'void', 'quarantined')) AS live_transfers
    FROM wallets w WHERE w.organization_id = :organization_id AND w.chain_id = :chain_id
      AND w.state = 'active' ORDER BY w.id
"""
_READ = text(_ACTIVE)
_LOCK = text(_ACTIVE + " FOR NO KEY UPDATE OF w")
_TAKE_NONCES = text("""
    UPDATE wallets SET next_nonce = next_nonce + :count
    WHERE organization_id = :organization_id AND id = :id RETURNING next_nonce
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
    connection: AsyncConnection, organization_id: OrganizationId, wallet: Wallet, now: datetime
) -> None:
    """Enrol a wallet; its `next_nonce` is the chain's transaction count at that moment."""
    await connection.execute(
        _INSERT,
        {
            "organization_id": organization_id,
            "id": wallet.id,
            "chain_id": wallet.chain_id,
            "address": wallet.address,
            "label": wallet.label,
            "next_nonce": wallet.next_nonce,
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
    connection: AsyncConnection, organization_id: OrganizationId, wallet_id: WalletId, count: int
) -> Sequence[int]:
    """Give out the next `count` nonces of the wallet, gapless; locks the wallet until the commit."""
    row = await connection.execute(
        _TAKE_NONCES, {"organization_id": organization_id, "id": wallet_id, "count": count}
    )
    end = int(row.scalar_one())
    return range(end - count, end)


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
