"""Owns following the chain for an organization's wallets. Must never book what is not final.

Two passes. The final pass reads the transfers of blocks that became final, on which two providers agree
where there are two, and books each once. The head pass keeps the blocks above by hash and parent, so
that a deposit is seen at once and forgotten when its block is reorganised away.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid5

import structlog

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.chain.head_track import SeenBlock, Track, follow
from treasurer.chain.port import BlockRef, Chain
from treasurer.db.engine import Database
from treasurer.deposits.booking import book
from treasurer.deposits.model import OwnWallet, movements, receiver
from treasurer.deposits.store import Cursor, DepositStore
from treasurer.incidents.model import IncidentKind
from treasurer.incidents.store import open_incidents
from treasurer.kernel.clock import Clock
from treasurer.kernel.digest import Canonical
from treasurer.kernel.ids import NewId, OrganizationId
from treasurer.payments.rail import Rail

MOST_BLOCKS_A_PASS = 2_000
"""Of final blocks: one transaction books their transfers."""
MOST_HEAD_BLOCKS_A_PASS = 128
_NO_LIMIT = 2**62
_CHAINS = UUID("0d1e7a58-3a3c-4d4c-8f43-7a3c1a5a9e02")

log = structlog.get_logger("deposits")


class DepositService:
    """Follows one network for any organization. Passes may run beside each other in many workers."""

    def __init__(
        self, *, database: Database, chain: Chain, rail: Rail, clock: Clock, new_id: NewId
    ) -> None:
        self._database = database
        self._chain = chain
        self._rail = rail
        self._clock = clock
        self._new_id = new_id
        self._assets = {token.address: token.asset for token in rail.tokens}

    async def follow(self, organization_id: OrganizationId) -> int:
        """One pass; how many entries were booked. Raises Transient and ProvidersDisagree, with nothing
        lost: the next pass goes on from the cursor.
        """
        async with self._database.unit(organization_id) as connection:
            store = DepositStore(connection, organization_id, self._rail.chain_id)
            wallets, cursor = await store.wallets(), await store.cursor()
        if not wallets or (cursor is not None and cursor.stopped):
            return 0
        final = await self._chain.finalized()
        if cursor is None:
            await self._begin(organization_id, wallets, final)
            return 0
        booked = 0
        if final.number > cursor.number:
            booked, cursor = await self._final_pass(organization_id, wallets, cursor, final)
        await self._head_pass(organization_id, wallets, cursor)
        return booked

    async def _begin(
        self, organization_id: OrganizationId, wallets: dict[str, OwnWallet], final: BlockRef
    ) -> None:
        """Start where the oldest wallet's books begin, or at the final block if that is lower."""
        number = min(final.number, *(wallet.opened_block for wallet in wallets.values()))
        start = await self._certain(number)
        async with self._database.unit(organization_id) as connection:
            store = DepositStore(connection, organization_id, self._rail.chain_id)
            await store.open_cursor(Cursor(start.number, start.hash))

    async def _final_pass(
        self,
        organization_id: OrganizationId,
        wallets: dict[str, OwnWallet],
        cursor: Cursor,
        final: BlockRef,
    ) -> tuple[int, Cursor]:
        anchor = await self._certain(cursor.number)
        if anchor.hash != cursor.hash:
            await self._stop(organization_id, cursor, anchor)
            return 0, cursor
        last = min(final.number, cursor.number + MOST_BLOCKS_A_PASS)
        end = final if last == final.number else await self._certain(last)
        logs = await self._chain.transfer_logs(
            list(self._assets), sorted(wallets), cursor.number + 1, end.number
        )
        moved = movements(logs, chain_id=self._rail.chain_id, assets=self._assets)
        after = Cursor(end.number, end.hash)
        async with self._database.unit(organization_id) as connection:
            store = DepositStore(connection, organization_id, self._rail.chain_id)
            if not await store.move_cursor(cursor, after):
                return 0, cursor
            booked = await book(
                store,
                organization_id,
                moved,
                wallets=wallets,
                now=self._clock(),
                new_id=self._new_id,
            )
            # What was seen in these blocks and not booked now was reorganised away.
            await store.forget(above=_NO_LIMIT, below=end.number)
        return booked, after

    async def _head_pass(
        self, organization_id: OrganizationId, wallets: dict[str, OwnWallet], cursor: Cursor
    ) -> None:
        async with self._database.unit(organization_id) as connection:
            store = DepositStore(connection, organization_id, self._rail.chain_id)
            seen = [
                SeenBlock(cursor.number, cursor.hash, b""),
                *await store.blocks(cursor.number),
            ]
        track = await self._track(seen)
        if track is None or (not track.added and track.kept == seen[-1].number):
            return
        new = {block.hash for block in track.added}
        arrived = []
        if track.added:
            logs = await self._chain.transfer_logs(
                list(self._assets), sorted(wallets), track.kept + 1, track.added[-1].number
            )
            arrived = [
                (movement, to.id)
                for movement in movements(logs, chain_id=self._rail.chain_id, assets=self._assets)
                # A log of another block came after a reorganisation between two questions.
                if movement.placed.block_hash in new
                and (to := receiver(movement, wallets)) is not None
            ]
        async with self._database.unit(organization_id) as connection:
            store = DepositStore(connection, organization_id, self._rail.chain_id)
            if not await store.hold_cursor(cursor):
                return
            # Another worker may have looked since: what stands above the kept block is replaced.
            await store.forget(above=track.kept, below=cursor.number)
            await store.add_blocks(track.added)
            await store.put_deposits(arrived, state="seen", now=self._clock())

    async def _track(self, seen: Sequence[SeenBlock]) -> Track | None:
        """How the chain goes on from `seen`, looking further below until a block fits."""
        anchor, top = seen[0].number, seen[-1].number
        head = (await self._chain.head()).number
        depth = 0
        while True:
            first = max(anchor + 1, min(top, head) - depth)
            last = min(head, first + depth + MOST_HEAD_BLOCKS_A_PASS)
            found = await asyncio.gather(
                *(self._chain.block(number) for number in range(first, last + 1))
            )
            blocks = [SeenBlock(b.number, b.hash, b.parent_hash) for b in found if b is not None]
            track = follow(seen, blocks) if len(blocks) == len(found) else None
            if track is not None or first == anchor + 1:
                return track
            depth = 2 * depth + 1

    async def _certain(self, number: int) -> BlockRef:
        """The block of a final number, which two agree on where there are two."""
        evidence = await self._chain.evidence(number, {})
        assert evidence is not None, f"block {number} is final and missing"
        return evidence.block

    async def _stop(self, organization_id: OrganizationId, cursor: Cursor, found: BlockRef) -> None:
        """A block that was final is another one now: nothing more is booked until people looked."""
        reason = f"block {cursor.number} was final and is now another one"
        payload: dict[str, Canonical] = {
            "chain_id": self._rail.chain_id,
            "block_number": cursor.number,
            "booked_hash": cursor.hash.hex(),
            "found_hash": found.hash.hex(),
        }
        chain = uuid5(_CHAINS, str(self._rail.chain_id))
        event = AuditEvent("chain", chain, "chain.final_block_changed", payload)
        async with self._database.unit(organization_id) as connection:
            store = DepositStore(connection, organization_id, self._rail.chain_id)
            if await store.stop_cursor(reason):
                now = self._clock()
                await audit.append(
                    connection, organization_id, [event], now=now, new_id=self._new_id
                )
                await open_incidents(
                    connection,
                    organization_id,
                    IncidentKind.FINAL_BLOCK_CHANGED,
                    [
                        (
                            organization_id,
                            f"chain {self._rail.chain_id}: {reason}; no deposit is booked",
                        )
                    ],
                    now=now,
                    new_id=self._new_id,
                )
        log.error("chain.final_block_changed", organization_id=str(organization_id), **payload)
