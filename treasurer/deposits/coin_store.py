"""Owns the SQL of coin deposits. Must never say that the books are whole while a slot is under way."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.chain.port import BlockRef
from treasurer.deposits.model import OwnWallet
from treasurer.kernel.ids import OrganizationId, WalletId

_WALLETS = text("""
    SELECT id, address, opened_block FROM wallets
    WHERE organization_id = :organization_id AND chain_id = :chain_id AND opened_block IS NOT NULL
    ORDER BY id
""")
_LESS_IN_BOOKS = text("""
    SELECT NOT EXISTS (
        SELECT FROM transfers WHERE organization_id = :organization_id AND wallet_id = :wallet_id
          AND live AND nonce IS NOT NULL)
      AND EXISTS (
        SELECT FROM ledger_accounts WHERE organization_id = :organization_id AND code = :code
          AND posted_minor < :balance)
""")
# A slot that a stranger used has ended without a block of ours: people look at that wallet first.
_WHOLE = text("""
    SELECT w.next_nonce = :nonce
      AND NOT EXISTS (
        SELECT FROM transfers t
        WHERE t.organization_id = :organization_id AND t.wallet_id = w.id AND t.nonce IS NOT NULL
          AND (t.live OR t.block_number IS NULL OR t.block_number > :block))
      AND NOT EXISTS (
        SELECT FROM top_ups u JOIN transfers t
          ON t.organization_id = :organization_id AND t.top_up_id = u.id
        WHERE u.organization_id = :organization_id AND u.recipient_wallet_id = w.id
          AND t.nonce IS NOT NULL AND (t.live OR t.block_number > :block))
      AND NOT EXISTS (
        SELECT FROM coin_deposits d
        WHERE d.organization_id = :organization_id AND d.wallet_id = w.id
          AND d.block_number >= :block)
    FROM wallets w WHERE w.organization_id = :organization_id AND w.id = :wallet_id
""")
_PUT = text("""
    INSERT INTO coin_deposits (organization_id, id, wallet_id, block_number, block_hash, amount_wei,
        booked_at)
    VALUES (:organization_id, :id, :wallet_id, :block_number, :block_hash, :amount_wei, :now)
""")


class CoinStore:
    """One organization's rows within one unit of work."""

    def __init__(self, connection: AsyncConnection, organization_id: OrganizationId) -> None:
        self._connection = connection
        self._organization_id = organization_id

    async def wallets(self, chain_id: int) -> list[OwnWallet]:
        """Wallets that are followed on that chain; stopped ones too."""
        rows = await self._connection.execute(
            _WALLETS, {"organization_id": self._organization_id, "chain_id": chain_id}
        )
        return [OwnWallet(WalletId(id_), address, opened) for id_, address, opened in rows]

    async def may_have_arrived(self, wallet_id: WalletId, code: str, balance_wei: int) -> bool:
        """Whether nothing is under way and the books, unlocked, show less: what looks every few seconds
        must cost little while nobody sends coins.
        """
        return await self._holds(_LESS_IN_BOOKS, wallet_id, code=code, balance=balance_wei)

    async def holds_all_until(self, wallet_id: WalletId, block: int, nonce: int) -> bool:
        """Whether the books hold the wallet's `nonce` transactions up to `block`, and nothing later. The
        caller holds its balance.
        """
        return await self._holds(_WHOLE, wallet_id, block=block, nonce=nonce)

    async def put(
        self, id_: UUID, wallet_id: WalletId, block: BlockRef, amount_wei: int, now: datetime
    ) -> None:
        await self._connection.execute(
            _PUT,
            {
                "organization_id": self._organization_id,
                "id": id_,
                "wallet_id": wallet_id,
                "block_number": block.number,
                "block_hash": block.hash,
                "amount_wei": amount_wei,
                "now": now,
            },
        )

    async def _holds(
        self, statement: TextClause, wallet_id: WalletId, **parameters: object
    ) -> bool:
        rows = await self._connection.execute(
            statement,
            {"organization_id": self._organization_id, "wallet_id": wallet_id, **parameters},
        )
        return bool(rows.scalar_one())
