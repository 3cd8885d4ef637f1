"""An organization with two wallets and a verified payee, on a chain that mines by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count

from sqlalchemy import text
from uuid_utils.compat import uuid7

from tests.support.chain import development_profile
from tests.support.clock import ManualClock
from tests.support.embedded import JsonRpc, address, signed, token_transfer
from tests.support.organization import TestOrganization, create_organization
from treasurer.chain.evm import EvmChain
from treasurer.chain.finality import FinalityRule, FinalizedTag
from treasurer.db.engine import Database
from treasurer.deposits.coins import CoinService
from treasurer.deposits.service import DepositService
from treasurer.embedded.devchain.seed import deploy_test_usd
from treasurer.kernel.money import Asset
from treasurer.payees.service import PayeeService
from treasurer.payments.enrolment import WalletEnrolment
from treasurer.payments.rail import Rail, RailToken
from treasurer.payments.wallets import Wallet

USDC = Asset("USDC", 6)
TAG = FinalizedTag()
PAYEE, STRANGER = 1, 2
"""Development accounts that hold tokens."""
GAS_WEI = 10**17
_ACCOUNTS = count(60)
"""Development accounts that no node funds: every test has wallets of its own."""


@dataclass
class Books:
    """What the tests look at: chain, wallets, and the organization's rows."""

    database: Database
    organization: TestOrganization
    chain: EvmChain
    rpc: JsonRpc
    token: str
    accounts: list[int]
    wallets: list[Wallet]
    deposits: DepositService
    coins: CoinService

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.rpc("evm_mine")

    def send(self, sender: int, recipient: str, amount_minor: int) -> str:
        """A token transfer into the pool, not yet mined."""
        nonce = int(self.rpc("eth_getTransactionCount", address(sender), "pending"), 16)
        raw, hash_ = token_transfer(
            sender, nonce, token=self.token, recipient=recipient, amount_minor=amount_minor
        )
        self.rpc("eth_sendRawTransaction", raw)
        return hash_

    def give_gas(self, recipient: str) -> None:
        nonce = int(self.rpc("eth_getTransactionCount", address(0), "pending"), 16)
        self.rpc("eth_sendRawTransaction", signed(0, nonce, to=recipient, value_wei=GAS_WEI)[0])
        self.mine()

    async def follow(self) -> int:
        return await self.deposits.follow(self.organization.id)

    async def rows(self, sql: str) -> list[tuple[object, ...]]:
        async with self.database.unit(self.organization.id) as connection:
            return [tuple(row) for row in await connection.execute(text(sql))]

    async def balances(self, asset: str = "USDC") -> dict[str, int]:
        """Posted base units by account code, wallets by their place."""
        rows = await self.rows(
            "SELECT code, posted_minor::bigint FROM ledger_accounts"
            f" WHERE asset = '{asset}' AND posted_minor <> 0 AND kind <> 'equity'"
        )
        names = {
            f"wallet:{wallet.id}:{asset}": f"wallet {place}"
            for place, wallet in enumerate(self.wallets)
        }
        return {names.get(str(code), str(code)): int(str(posted)) for code, posted in rows}

    async def states(self) -> list[tuple[object, ...]]:
        return await self.rows(
            "SELECT state, amount_minor::bigint FROM deposits ORDER BY seen_at, id"
        )


@asynccontextmanager
async def open_books(
    database: Database, url: str, finality: FinalityRule = TAG
) -> AsyncIterator[Books]:
    """Fresh books on the chain at `url`, whose tag lies two blocks behind its head."""
    token = deploy_test_usd(url, mint_to=address(PAYEE))
    deploy_test_usd(url, mint_to=address(STRANGER))
    organization = await create_organization(database)
    clock = ManualClock()
    rail = Rail(31337, "development", Asset("ETH", 18), (RailToken(USDC, token, "USD"),), 3600)
    payees = PayeeService(database=database, clock=clock, new_id=uuid7)
    payee = await payees.create(organization.clerk, code="V-001", name="Halden Freight AS")
    entry = await payees.add_address(
        organization.clerk, payee.id, chain_id=31337, address=address(PAYEE)
    )
    await payees.verify_address(organization.administrator, entry.id, cooling_off_s=0)
    profile = replace(development_profile(), finality=finality)
    async with EvmChain(url, profile) as chain:
        with JsonRpc(url) as rpc:
            enrolment = WalletEnrolment(
                database=database, chain=chain, rail=rail, clock=clock, new_id=uuid7
            )
            accounts = [next(_ACCOUNTS), next(_ACCOUNTS)]
            wallets = [
                await enrolment.enrol(
                    organization.id, address=address(account), label="own", actor=None
                )
                for account in accounts
            ]
            deposits = DepositService(
                database=database, chain=chain, rail=rail, clock=clock, new_id=uuid7
            )
            coins = CoinService(
                database=database, chain=chain, rail=rail, clock=clock, new_id=uuid7
            )
            yield Books(
                database, organization, chain, rpc, token, accounts, wallets, deposits, coins
            )
