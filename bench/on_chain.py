"""Owns our side on a real node: organizations with wallets of their own, signer process, database, pump.

Must never leave out what a payment needs from reserved to settled. When the pump rests, two more
blocks are mined, as time would, so that what is included becomes final.
"""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

from sqlalchemy import text

from bench.disks import Servers
from bench.node import GWEI, Node, Sender
from bench.treasuries import (
    CHAIN_ID,
    OPENING_MINOR,
    OPENING_WEI,
    RAIL,
    USDC,
    Organization,
    Outline,
    approve,
    found,
    saga_context,
)
from contracts.artifacts import load_artifact
from saga.context import SagaContext
from saga.engine import Pump
from saga.steps.reserve import reserve
from signer.home import create_home
from signer.keys import DEVELOPMENT_SCRYPT_N
from signer.limits import Destination, Limits, Spender, TokenLimit
from signer.settings import Home
from tests.support.contracts import DEPLOYER, Contract, deploy
from tests.support.embedded import JsonRpc
from tests.support.signer import SignerProcess, signer_process
from treasurer.bootstrap import utc_now
from treasurer.chain.connect import open_network
from treasurer.chain.networks import NetworkProfile, PinnedContract, load_profile, shipped_profile
from treasurer.chain.pinning import TokenWatch
from treasurer.db.engine import Database, open_database
from treasurer.kernel.calldata import approve_calldata
from treasurer.kernel.ids import OrganizationId
from treasurer.payments.rail import RailToken

GAS_LIMIT = 120_000
POOL_SIZE = 16
_FIRST_ACCOUNT = 20
_SENT = text("""
    SELECT a.transaction_hash, a.raw FROM attempts a
    JOIN transfers t ON t.organization_id = :organization_id AND t.id = a.transfer_id
    WHERE a.organization_id = :organization_id ORDER BY t.created_at DESC LIMIT :most
""")
_UNSETTLED = text("""
    SELECT count(*) FROM payments
    WHERE organization_id = :organization_id AND state <> 'settled'
""")


class Ground:
    """A fresh anvil with both contracts, and the accounts that are given out on it."""

    def __init__(self, rpc: JsonRpc) -> None:
        self._rpc = rpc
        self._used = _FIRST_ACCOUNT
        self._token: Contract = deploy(rpc, "TestUSD", "USD Coin (test)", "USDC")
        self.token = self._token.at
        self.disperse = deploy(rpc, "Disperse").at
        # Contracts are deployed block by block; from here on it mines whatever comes.
        rpc("evm_setAutomine", True)

    def accounts(self, count: int, *, minted_minor: int = OPENING_MINOR) -> list[Sender]:
        """The next development accounts, with gas and tokens."""
        made = [Sender.of(self._used + index) for index in range(count)]
        self._used += count
        for account in made:
            self._rpc("anvil_setBalance", account.address, hex(OPENING_WEI))
            self._token.must_send(DEPLOYER, "mint", account.address, minted_minor)
        return made

    def may_disperse(self, account: Sender) -> Sender:
        """Let our contract move all that the account has."""
        data = approve_calldata(self.disperse, OPENING_MINOR)
        self._rpc("eth_sendRawTransaction", account.signed(self.token, data, GAS_LIMIT))
        self._rpc("evm_mine")
        return account

    def profile(self) -> NetworkProfile:
        """The development network's, with both contracts pinned."""
        profile = load_profile(shipped_profile("development"), token_addresses={"USDC": self.token})
        pinned = PinnedContract(self.disperse, load_artifact("Disperse").runtime_code_hash)
        return replace(profile, disperse=pinned)


class Treasuries:
    """All organizations of one database on one node, one signer and one pump."""

    def __init__(self, database: Database, node: Node, context: SagaContext, pump: Pump) -> None:
        self._database = database
        self._node = node
        self.context = context
        self._pump = pump

    async def reserve(self, organization: Organization, payments: int) -> None:
        """Approved payments that hold their money; untimed."""
        ids = await approve(self._database, organization, payments)
        await reserve(self.context, organization.id, ids)

    async def settle(self, organizations: Sequence[Organization]) -> float:
        """Seconds from reserved to settled."""
        started = time.perf_counter()
        while True:
            while await self._pump.pass_once():
                continue
            if not sum([await self._unsettled(each.id) for each in organizations]):
                return time.perf_counter() - started
            await self._node.mine(2)

    async def settle_at_once(self) -> float:
        """Seconds for the one payment that is reserved; the blocks come when it was sent."""
        started = time.perf_counter()
        await self._pump.pass_once()
        await self._node.mine(3)
        while await self._pump.pass_once():
            continue
        return time.perf_counter() - started

    async def sent(self, organization: Organization, most: int) -> list[tuple[bytes, bytes]]:
        """Hash and bytes of the newest transactions."""
        async with self._database.unit(organization.id) as connection:
            rows = await connection.execute(
                _SENT, {"organization_id": organization.id, "most": most}
            )
            return [(bytes(row[0]), bytes(row[1])) for row in rows]

    async def gas(self, organization: Organization, most: int) -> float:
        """Units of gas of a transaction, on average over the newest ones."""
        hashes = [hash_ for hash_, _ in await self.sent(organization, most)]
        receipts = await self.context.chain.receipts_of(hashes)
        return sum(each.gas_used for each in receipts if each is not None) / len(hashes)

    async def _unsettled(self, organization_id: OrganizationId) -> int:
        async with self._database.unit(organization_id) as connection:
            rows = await connection.execute(_UNSETTLED, {"organization_id": organization_id})
            return int(rows.scalar_one())


@asynccontextmanager
async def open_treasuries(
    servers: Servers,
    node: Node,
    ground: Ground,
    outlines: Sequence[Outline],
    wallets: Sequence[Sender],
) -> AsyncIterator[tuple[Treasuries, list[Organization]]]:
    """Found the organizations and start the signer of all their wallets; stop it afterwards."""
    payees = sorted({each for outline in outlines for each in outline.payees})
    profile = ground.profile()
    token = RailToken(USDC, ground.token, "USD")
    rail = replace(RAIL, tokens=(token,), disperse=ground.disperse)
    database = open_database(servers.migrated("anvil"), pool_size=POOL_SIZE)
    with _signer(servers, ground, wallets, payees) as process:
        await process.start()
        signer = process.client()
        async with open_network([node.url], profile) as chain:
            guard = TokenWatch(chain, profile, utc_now)
            context = saga_context(database, chain, rail, guard)
            organizations = [await found(database, outline) for outline in outlines]
            yield Treasuries(database, node, context, Pump(context, signer)), organizations
        await signer.close()
    await database.close()


@contextmanager
def _signer(
    servers: Servers, ground: Ground, wallets: Sequence[Sender], payees: Sequence[str]
) -> Iterator[SignerProcess]:
    folder = servers.folder / "signer"
    token = TokenLimit(CHAIN_ID, ground.token, "USDC", 6, 10**15, 10**18, 10**15)
    create_home(
        folder,
        private_keys=[wallet.key.secret for wallet in wallets],
        limits=Limits(
            chain_ids=(CHAIN_ID,),
            wallets=tuple(wallet.address for wallet in wallets),
            max_fee_per_gas_wei=150 * GWEI,
            max_gas_limit=200_000,
            tokens=(token,),
            spenders=(Spender(CHAIN_ID, ground.disperse, "Disperse"),),
            destinations=tuple(Destination(CHAIN_ID, each, each) for each in payees),
        ),
        next_nonces={(CHAIN_ID, wallet.address): wallet.nonce for wallet in wallets},
        scrypt_n=DEVELOPMENT_SCRYPT_N,
    )
    with signer_process(Home(folder)) as process:
        yield process
