"""Owns booking coins that somebody sent to a wallet. Must never book a difference that it cannot date.

Coins leave no log. What a final block's balance has beyond the books came from somebody if, and only if,
the books hold exactly the wallet's transactions up to that block: none is under way, none was booked in
a later one, and every nonce that the chain has used is one of ours. Until then nothing is booked, and
the auditor names the difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.chain.port import BlockRef, Chain
from treasurer.db.engine import Database
from treasurer.deposits.coin_store import CoinStore
from treasurer.deposits.model import OwnWallet
from treasurer.kernel.clock import Clock
from treasurer.kernel.ids import NewId, OrganizationId
from treasurer.ledger import store as ledger
from treasurer.ledger.model import JournalEntry, Posting, suspense, wallet_account
from treasurer.payments.rail import Rail

_NAMESPACE = UUID("7b6e8a52-2f0b-4a7e-9f63-0c4f1d2f8e31")


@dataclass(frozen=True, slots=True)
class _Seen:
    """A wallet at a final block: what it holds, and how many transactions it has made."""

    wallet: OwnWallet
    balance_wei: int
    nonce: int


class CoinService:
    """Looks at the wallets of any organization on one network. Workers may look beside each other."""

    def __init__(
        self, *, database: Database, chain: Chain, rail: Rail, clock: Clock, new_id: NewId
    ) -> None:
        self._database = database
        self._chain = chain
        self._rail = rail
        self._clock = clock
        self._new_id = new_id

    async def follow(self, organization_id: OrganizationId) -> int:
        """Look at every wallet once; how many deposits were booked. Raises Transient and
        ProvidersDisagree, with nothing lost: the balance is still there at the next look.
        """
        async with self._database.unit(organization_id) as connection:
            wallets = await CoinStore(connection, organization_id).wallets(self._rail.chain_id)
        if not wallets:
            return 0
        final = await self._chain.finalized()
        followed = [wallet for wallet in wallets if wallet.opened_block < final.number]
        seen = await self._look(followed, final)
        return sum([await self._book(organization_id, one, final) for one in seen])

    async def _look(self, wallets: Sequence[OwnWallet], final: BlockRef) -> list[_Seen]:
        if not wallets:
            return []
        balances = await self._chain.native_balances([w.address for w in wallets], final.hash)
        return [
            _Seen(wallet, balance, await self._chain.nonce(wallet.address, final.hash))
            for wallet, balance in zip(wallets, balances, strict=True)
        ]

    async def _book(self, organization_id: OrganizationId, seen: _Seen, final: BlockRef) -> int:
        native = self._rail.native
        codes = (wallet_account(seen.wallet.id, native), suspense(native))
        async with self._database.unit(organization_id) as connection:
            store = CoinStore(connection, organization_id)
            if not await store.may_have_arrived(seen.wallet.id, codes[0].code, seen.balance_wei):
                return 0
            await ledger.open_account(connection, organization_id, codes[1], self._new_id)
            # Whatever books a transaction of the wallet moves this balance, so it waits from here on.
            accounts = await ledger.balances(connection, organization_id, codes, lock=True)
            arrived = seen.balance_wei - accounts[codes[0].code].posted_minor
            whole = await store.holds_all_until(seen.wallet.id, final.number, seen.nonce)
            if arrived <= 0 or not whole:
                return 0
            id_ = uuid5(_NAMESPACE, f"{self._rail.chain_id}:{final.hash.hex()}:{seen.wallet.id}")
            now = self._clock()
            await store.put(id_, seen.wallet.id, final, arrived, now)
            entry = JournalEntry(
                "deposit.booked",
                id_,
                (
                    Posting(accounts[codes[0].code].account_id, native.symbol, arrived),
                    Posting(accounts[codes[1].code].account_id, native.symbol, -arrived),
                ),
            )
            await ledger.post(connection, organization_id, [entry], now=now, new_id=self._new_id)
            event = AuditEvent(
                "deposit",
                id_,
                "deposit.booked",
                {
                    "token": None,
                    "asset": native.symbol,
                    "amount_minor": str(arrived),
                    "recipient": seen.wallet.address,
                    "block_number": final.number,
                    "block_hash": final.hash.hex(),
                },
            )
            await audit.append(connection, organization_id, [event], now=now, new_id=self._new_id)
        return 1
