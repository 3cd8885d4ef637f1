"""Owns taking a wallet into the books. Must never invent a balance: the chain says what is there.

The opening entry makes ledger and chain agree at one block; from then on every change is booked.
"""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.chain.port import Chain
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.ids import NewId, OrganizationId, UserId, WalletId
from treasurer.kernel.money import Asset
from treasurer.kernel.order import require_address
from treasurer.ledger import store as ledger
from treasurer.ledger.model import (
    JournalEntry,
    Posting,
    network_fees,
    opening_equity,
    supplier_expense,
    wallet_account,
)
from treasurer.payments import wallets
from treasurer.payments.rail import Rail
from treasurer.payments.wallets import Wallet


class WalletEnrolment:
    """Enrols wallets of any organization on one rail."""

    def __init__(
        self, *, database: Database, chain: Chain, rail: Rail, clock: Clock, new_id: NewId
    ) -> None:
        self._database = database
        self._chain = chain
        self._rail = rail
        self._clock = clock
        self._new_id = new_id

    async def enrol(
        self, organization_id: OrganizationId, *, address: str, label: str, actor: UserId | None
    ) -> Wallet:
        """Insert the wallet with its nonce and balances as of the head, in one transaction.

        The wallet must not send in between; nothing of ours can, before it is enrolled.
        """
        address = require_address(address.lower())
        head = (await self._chain.head()).number
        nonce = await self._chain.nonce(address, head)
        (native_wei,) = await self._chain.native_balances([address], head)
        held: dict[Asset, int] = {self._rail.native: native_wei}
        for token in self._rail.tokens:
            (held[token.asset],) = await self._chain.token_balances(token.address, [address], head)
        wallet = Wallet(
            id=WalletId(self._new_id()),
            chain_id=self._rail.chain_id,
            address=address,
            label=label,
            state="active",
            next_nonce=nonce,
            live_transfers=0,
        )
        now = self._clock()
        async with self._database.unit(organization_id) as connection:
            await wallets.insert(connection, organization_id, wallet, now, opened_block=head)
            for code in (
                network_fees(self._rail.native),
                *(supplier_expense(token.asset) for token in self._rail.tokens),
            ):
                await ledger.open_account(connection, organization_id, code, self._new_id)
            entries = [
                entry
                for asset, amount in held.items()
                if (
                    entry := await self._opening(connection, organization_id, wallet, asset, amount)
                )
            ]
            await ledger.post(connection, organization_id, entries, now=now, new_id=self._new_id)
            await audit.append(
                connection,
                organization_id,
                [_enrolled(wallet, head, held, actor)],
                now=now,
                new_id=self._new_id,
            )
        return wallet

    async def _opening(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        wallet: Wallet,
        asset: Asset,
        amount_minor: int,
    ) -> JournalEntry | None:
        """Open the accounts; the entry that brings in what the wallet holds, if it holds any."""
        accounts = [
            await ledger.open_account(connection, organization_id, code, self._new_id)
            for code in (wallet_account(wallet.id, asset), opening_equity(asset))
        ]
        if amount_minor == 0:
            return None
        return JournalEntry(
            f"wallet.opened:{asset.symbol}",
            wallet.id,
            (
                Posting(accounts[0], asset.symbol, amount_minor),
                Posting(accounts[1], asset.symbol, -amount_minor),
            ),
        )


def _enrolled(
    wallet: Wallet, block: int, held: Mapping[Asset, int], actor: UserId | None
) -> AuditEvent:
    return AuditEvent(
        "wallet",
        wallet.id,
        "wallet.enrolled",
        {
            "address": wallet.address,
            "chain_id": wallet.chain_id,
            "block_number": block,
            "balances_minor": {asset.symbol: str(amount) for asset, amount in held.items()},
        },
        actor,
    )
