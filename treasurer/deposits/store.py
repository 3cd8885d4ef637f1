"""Owns the SQL of cursors, blocks seen and deposits. Must never move a cursor that another one moved."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.chain.head_track import SeenBlock
from treasurer.deposits.model import Movement, OwnWallet
from treasurer.kernel.ids import OrganizationId, PayeeId, WalletId

_WALLETS = text("""
    SELECT id, address, opened_block FROM wallets
    WHERE organization_id = :organization_id AND chain_id = :chain_id AND opened_block IS NOT NULL
""")
_CURSOR = text("""
    SELECT final_number, final_hash, stopped FROM index_cursors
    WHERE organization_id = :organization_id AND chain_id = :chain_id
""")
_OPEN_CURSOR = text("""
    INSERT INTO index_cursors (organization_id, chain_id, final_number, final_hash)
    VALUES (:organization_id, :chain_id, :number, :hash) ON CONFLICT DO NOTHING
""")
# The row stays locked until the commit, so that two workers never book one range.
_MOVE_CURSOR = text("""
    UPDATE index_cursors SET final_number = :number, final_hash = :hash
    WHERE organization_id = :organization_id AND chain_id = :chain_id AND stopped = ''
      AND final_number = :from_number AND final_hash = :from_hash
""")
_HOLD_CURSOR = text("""
    SELECT final_number FROM index_cursors
    WHERE organization_id = :organization_id AND chain_id = :chain_id AND stopped = ''
      AND final_number = :from_number AND final_hash = :from_hash FOR NO KEY UPDATE
""")
_STOP_CURSOR = text("""
    UPDATE index_cursors SET stopped = :reason
    WHERE organization_id = :organization_id AND chain_id = :chain_id AND stopped = ''
""")
_BLOCKS = text("""
    SELECT number, hash, parent_hash FROM indexed_blocks
    WHERE organization_id = :organization_id AND chain_id = :chain_id AND number > :above
    ORDER BY number
""")
_FORGET_BLOCKS = text("""
    DELETE FROM indexed_blocks WHERE organization_id = :organization_id AND chain_id = :chain_id
      AND (number > :above OR number <= :below)
""")
_ADD_BLOCKS = text("""
    INSERT INTO indexed_blocks (organization_id, chain_id, number, hash, parent_hash)
    SELECT :organization_id, :chain_id, b.* FROM unnest(
        CAST(:numbers AS bigint[]), CAST(:hashes AS bytea[]), CAST(:parents AS bytea[])) AS b
""")
_FORGET_SEEN = text("""
    DELETE FROM deposits WHERE organization_id = :organization_id AND chain_id = :chain_id
      AND state = 'seen' AND (block_number > :above OR block_number <= :below)
""")
# Seen before or not: booked once, and only who books it gets its id back.
_PUT_DEPOSITS = text("""
    INSERT INTO deposits (organization_id, id, chain_id, block_number, block_hash, transaction_hash,
                          log_index, wallet_id, token, sender, amount_minor, state, seen_at)
    SELECT :organization_id, d.id, :chain_id, d.block_number, d.block_hash, d.transaction_hash,
           d.log_index, d.wallet_id, d.token, d.sender, d.amount_minor, :state, :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS bigint[]), CAST(:hashes AS bytea[]),
                CAST(:transactions AS bytea[]), CAST(:indexes AS integer[]),
                CAST(:wallets AS uuid[]), CAST(:tokens AS text[]), CAST(:senders AS text[]),
                CAST(:amounts AS numeric[]))
         AS d (id, block_number, block_hash, transaction_hash, log_index, wallet_id, token, sender,
               amount_minor)
    ON CONFLICT (chain_id, block_hash, log_index) DO UPDATE SET state = excluded.state
        WHERE deposits.organization_id = :organization_id AND deposits.state = 'seen'
          AND excluded.state = 'booked'
    RETURNING id
""")
_OWN_HASHES = text("""
    SELECT transaction_hash FROM attempts WHERE organization_id = :organization_id
      AND chain_id = :chain_id AND transaction_hash = ANY(CAST(:hashes AS bytea[]))
""")
_PAYEES = text("""
    SELECT address, payee_id FROM payee_addresses
    WHERE organization_id = :organization_id AND chain_id = :chain_id AND address = ANY(:addresses)
      AND verified_by IS NOT NULL ORDER BY id
""")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Booked up to this final block. `stopped` says why nothing more is, and is empty while all is well."""

    number: int
    hash: bytes
    stopped: str = ""


class DepositStore:
    """One organization's rows about one chain, within one unit of work."""

    def __init__(
        self, connection: AsyncConnection, organization_id: OrganizationId, chain_id: int
    ) -> None:
        self.connection = connection
        self._scope = {"organization_id": organization_id, "chain_id": chain_id}

    async def wallets(self) -> dict[str, OwnWallet]:
        """Wallets whose deposits are followed, by address; stopped ones too."""
        rows = await self.connection.execute(_WALLETS, self._scope)
        return {address: OwnWallet(WalletId(id_), address, opened) for id_, address, opened in rows}

    async def cursor(self) -> Cursor | None:
        row = (await self.connection.execute(_CURSOR, self._scope)).one_or_none()
        return None if row is None else Cursor(row[0], bytes(row[1]), row[2])

    async def open_cursor(self, at: Cursor) -> None:
        await self.connection.execute(
            _OPEN_CURSOR, {**self._scope, "number": at.number, "hash": at.hash}
        )

    async def move_cursor(self, origin: Cursor, to: Cursor) -> bool:
        """False if another worker moved it meanwhile, or it was stopped: then nothing may be written."""
        moved = await self.connection.execute(
            _MOVE_CURSOR,
            {**self._scope, **_from(origin), "number": to.number, "hash": to.hash},
        )
        return moved.rowcount == 1

    async def hold_cursor(self, at: Cursor) -> bool:
        """Lock it until the commit, if it still stands at `at`."""
        found = await self.connection.execute(_HOLD_CURSOR, {**self._scope, **_from(at)})
        return found.one_or_none() is not None

    async def stop_cursor(self, reason: str) -> bool:
        """Whether this call stopped it."""
        stopped = await self.connection.execute(_STOP_CURSOR, {**self._scope, "reason": reason})
        return stopped.rowcount == 1

    async def blocks(self, above: int) -> list[SeenBlock]:
        rows = await self.connection.execute(_BLOCKS, {**self._scope, "above": above})
        return [SeenBlock(number, bytes(hash_), bytes(parent)) for number, hash_, parent in rows]

    async def forget(self, *, above: int, below: int) -> None:
        """Drop blocks and merely seen deposits above one block and up to another."""
        bounds = {**self._scope, "above": above, "below": below}
        await self.connection.execute(_FORGET_BLOCKS, bounds)
        await self.connection.execute(_FORGET_SEEN, bounds)

    async def add_blocks(self, blocks: Sequence[SeenBlock]) -> None:
        if not blocks:
            return
        await self.connection.execute(
            _ADD_BLOCKS,
            {
                **self._scope,
                "numbers": [block.number for block in blocks],
                "hashes": [block.hash for block in blocks],
                "parents": [block.parent_hash for block in blocks],
            },
        )

    async def put_deposits(
        self, deposits: Sequence[tuple[Movement, WalletId]], *, state: str, now: datetime
    ) -> set[UUID]:
        """Keep what arrived as `seen` or `booked`; the ids that are so by this call."""
        if not deposits:
            return set()
        moved = [movement for movement, _ in deposits]
        rows = await self.connection.execute(
            _PUT_DEPOSITS,
            {
                **self._scope,
                "state": state,
                "now": now,
                "ids": [movement.id for movement in moved],
                "numbers": [movement.placed.block_number for movement in moved],
                "hashes": [movement.placed.block_hash for movement in moved],
                "transactions": [movement.placed.transaction_hash for movement in moved],
                "indexes": [movement.placed.log.log_index for movement in moved],
                "wallets": [wallet_id for _, wallet_id in deposits],
                "tokens": [movement.token for movement in moved],
                "senders": [movement.sender for movement in moved],
                "amounts": [movement.amount_minor for movement in moved],
            },
        )
        return {row[0] for row in rows}

    async def own_hashes(self, hashes: Collection[bytes]) -> set[bytes]:
        """Which of these transactions we signed."""
        rows = await self.connection.execute(_OWN_HASHES, {**self._scope, "hashes": list(hashes)})
        return {bytes(row[0]) for row in rows}

    async def payees(self, addresses: Collection[str]) -> dict[str, PayeeId]:
        """Payees by addresses that were verified once; a revoked one still says who sends."""
        rows = await self.connection.execute(_PAYEES, {**self._scope, "addresses": list(addresses)})
        return {address: PayeeId(payee_id) for address, payee_id in rows}


def _from(cursor: Cursor) -> dict[str, int | bytes]:
    return {"from_number": cursor.number, "from_hash": cursor.hash}
