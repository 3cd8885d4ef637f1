"""A whole treasury for tests: real database, development chain and signer process, composed by hand.

Each treasury pays from an own development account, so that tests share one chain.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from sqlalchemy import text
from uuid_utils.compat import uuid7

from contracts.artifacts import load_artifact
from saga.context import FeePolicy, Pace, SagaContext
from saga.engine import Pump
from saga.failpoints import Failpoint, unarmed
from signer.home import create_home
from signer.keys import DEVELOPMENT_SCRYPT_N
from signer.limits import Destination, Limits, Spender, TokenLimit
from signer.settings import Home
from tests.support.contracts import DEPLOYER, Contract, send
from tests.support.embedded import JsonRpc, signed
from tests.support.organization import TestOrganization, create_organization
from tests.support.payees import WORLD
from tests.support.signer import SignerProcess, signer_process
from treasurer.approvals.service import ApprovalService
from treasurer.audit.service import AuditService
from treasurer.bootstrap import utc_now
from treasurer.chain.evm import EvmChain
from treasurer.chain.fees import FeeCaps
from treasurer.chain.networks import NetworkProfile, PinnedContract, load_profile, shipped_profile
from treasurer.chain.pinning import TokenWatch
from treasurer.chain.signer_client import SignerClient
from treasurer.db.engine import Database
from treasurer.db.jobs import JobQueue
from treasurer.embedded.devchain.accounts import development_account
from treasurer.embedded.devchain.seed import deploy_disperse, deploy_test_usd
from treasurer.kernel.calldata import approve_calldata
from treasurer.kernel.clock import Clock
from treasurer.kernel.ids import InvoiceId, PayeeId
from treasurer.kernel.money import Asset
from treasurer.notifications.service import Outbox
from treasurer.payees.model import Payee
from treasurer.payees.service import PayeeService
from treasurer.payments.enrolment import WalletEnrolment
from treasurer.payments.model import Payment
from treasurer.payments.outcomes import PaymentOutcomes
from treasurer.payments.rail import Rail, RailToken
from treasurer.payments.service import PaymentService
from treasurer.payments.wallets import Wallet
from treasurer.policies.service import PolicyService
from treasurer.prices.feed import DeclaredPar

USDC = Asset("USDC", 6)
ETH = Asset("ETH", 18)
NORWICK = Path("samples/policies/norwick.yaml")
GWEI = 10**9
SHIPPED_TOKEN = load_artifact("TestUSD")
_ACCOUNTS = count(20)
"""Development chains fund the first ten accounts; each treasury's own one gets gas from number 0."""
GAS_WEI = 100 * 10**18

_INSERT_DOCUMENT = text("""
    INSERT INTO documents (organization_id, sha256, media_type, content, received_at)
    VALUES (:org, sha256(CAST(:content AS bytea)), 'text/plain', :content, :now)
""")
_INSERT_INVOICE = text("""
    INSERT INTO invoices (organization_id, id, state, channel, document_sha256, submitted_by,
        received_at, payee_id, invoice_number, invoice_number_key, currency, currency_decimals,
        payable_amount_minor, open_amount_minor)
    VALUES (:org, :id, 'reading', 'api', sha256(CAST(:content AS bytea)), :submitter, :now, :payee,
        :number, :number, 'USDC', 6, :amount, :amount)
""")


_PACE = replace(Pace(), poll=timedelta(0), retry=timedelta(milliseconds=50))


@dataclass(frozen=True)
class Batching:
    """How a treasury pays several payments at once. `allowed_minor` is what its wallet lets be moved."""

    at_most: int | None = 20
    allowed_minor: int = 10**12
    pinned: bool = True
    pinned_by_signer: bool = True
    code_hash: bytes = load_artifact("Disperse").runtime_code_hash


@dataclass
class Treasury:
    """One organization with a funded wallet, three payees, the Norwick policy and its machinery."""

    database: Database
    organization: TestOrganization
    clock: Clock
    chain: EvmChain
    chain_url: str
    profile: NetworkProfile
    rail: Rail
    wallet: Wallet
    payees: dict[str, Payee]
    payments: PaymentService
    approvals: ApprovalService
    outcomes: PaymentOutcomes
    policies: PolicyService
    signer_process: SignerProcess
    signer: SignerClient
    audit: AuditService

    def context(self, *, failpoint: Failpoint = unarmed, pace: Pace | None = None) -> SagaContext:
        return SagaContext(
            database=self.database,
            chain=self.chain,
            rail=self.rail,
            tokens=TokenWatch(self.chain, self.profile, self.clock),
            fees=FeePolicy(120_000, FeeCaps(100 * GWEI, 150 * GWEI)),
            pace=pace or _PACE,
            clock=self.clock,
            new_id=uuid7,
            prices=DeclaredPar({"USDC": "USD"}, self.clock),
            policies=self.policies,
            approvals=self.approvals,
            outcomes=self.outcomes,
            failpoint=failpoint,
        )

    def pump(self, *, failpoint: Failpoint = unarmed, pace: Pace | None = None) -> Pump:
        return Pump(self.context(failpoint=failpoint, pace=pace), self.signer)

    async def invoice(self, number: str, amount_minor: int, payee: str = "V-001") -> InvoiceId:
        """An invoice as intake leaves it: read, matched, submitted by the clerk."""
        invoice_id = InvoiceId(uuid7())
        content = f"{number} {invoice_id}".encode()
        async with self.database.unit(self.organization.id) as connection:
            common = {"org": self.organization.id, "content": content, "now": self.clock()}
            await connection.execute(_INSERT_DOCUMENT, common)
            await connection.execute(
                _INSERT_INVOICE,
                common
                | {
                    "id": invoice_id,
                    "submitter": self.organization.clerk.user_id,
                    "payee": PayeeId(self.payees[payee].id),
                    "number": number,
                    "amount": amount_minor,
                },
            )
        return invoice_id

    async def propose(self, number: str, amount_minor: int, payee: str = "V-001") -> Payment:
        invoice_id = await self.invoice(number, amount_minor, payee)
        return await self.payments.propose(self.organization.agent, invoice_id)

    async def payment(self, payment: Payment) -> Payment:
        return await self.payments.get(self.organization.cfo, payment.id)

    async def token_balance(self, address: str) -> int:
        (balance,) = await self.chain.token_balances(self.rail.tokens[0].address, [address])
        return balance

    async def rows(self, sql: str, **parameters: object) -> list[tuple[object, ...]]:
        """The organization's rows, as the app role sees them."""
        async with self.database.unit(self.organization.id) as connection:
            found = await connection.execute(text(sql), parameters)
            return [tuple(row) for row in found]

    async def execute(self, sql: str, **parameters: object) -> None:
        async with self.database.unit(self.organization.id) as connection:
            await connection.execute(text(sql), parameters)


def _limits(token: str, wallet: str, disperse: str | None) -> Limits:
    return Limits(
        chain_ids=(31337,),
        wallets=(wallet,),
        max_fee_per_gas_wei=150 * GWEI,
        max_gas_limit=200_000,
        tokens=(TokenLimit(31337, token, "USDC", 6, 10**12, 10**13, 10**12),),
        spenders=(Spender(31337, disperse, "Disperse"),) if disperse else (),
        destinations=tuple(Destination(31337, address, name) for _, name, address in WORLD),
    )


@asynccontextmanager
async def open_treasury(
    database: Database,
    chain_url: str,
    folder: Path,
    clock: Clock = utc_now,
    *,
    minted_minor: int = 10**12,
    odd_token: Contract | None = None,
    batching: Batching | None = None,
    policy: str | None = None,
) -> AsyncIterator[Treasury]:
    """Deploy, fund, enrol, activate and start the signer; stop it afterwards.

    Pays by `odd_token` instead of the test dollar, and under `policy` instead of Norwick's, if given.
    """
    index = next(_ACCOUNTS)
    account = development_account(index)
    wallet_address = account.address.lower()
    fund_gas(chain_url, wallet_address)
    token = _token(chain_url, wallet_address, minted_minor, odd_token)
    disperse = _allowed_disperse(chain_url, index, token, batching) if batching else None
    limits = _limits(
        token, wallet_address, disperse if batching and batching.pinned_by_signer else None
    )
    create_home(
        folder,
        private_keys=[bytes(account.key)],
        limits=limits,
        scrypt_n=DEVELOPMENT_SCRYPT_N,
    )
    organization = await create_organization(database, burn_minor=100_000_00)
    profile = _profile(token, odd_token)
    rail = Rail(31337, "development", ETH, (RailToken(USDC, token, "USD"),), 7 * 24 * 3600)
    if batching and batching.pinned and disperse:
        profile = replace(profile, disperse=PinnedContract(disperse, batching.code_hash))
        rail = replace(rail, disperse=disperse)
    outbox = Outbox(queue=JobQueue(), clock=clock, new_id=uuid7)
    outcomes = PaymentOutcomes(outbox=outbox, new_id=uuid7)
    policies = PolicyService(database=database, clock=clock, new_id=uuid7)
    approvals = ApprovalService(
        database=database,
        gate=outcomes,
        outbox=outbox,
        jobs=JobQueue(),
        clock=clock,
        new_id=uuid7,
    )
    await policies.activate_first(organization.administrator, policy or _policy(batching))
    async with EvmChain(chain_url, profile) as chain:
        with signer_process(Home(folder)) as process:
            await process.start()
            signer = process.client()
            enrolment = WalletEnrolment(
                database=database, chain=chain, rail=rail, clock=clock, new_id=uuid7
            )
            wallet = await enrolment.enrol(
                organization.id, address=wallet_address, label="treasury", actor=None
            )
            opened = Treasury(
                database=database,
                organization=organization,
                clock=clock,
                chain=chain,
                chain_url=chain_url,
                profile=profile,
                rail=rail,
                wallet=wallet,
                payees=await _payees(database, organization, clock),
                payments=PaymentService(
                    database=database,
                    rail=rail,
                    prices=DeclaredPar({"USDC": "USD"}, clock),
                    policies=policies,
                    approvals=approvals,
                    outcomes=outcomes,
                    clock=clock,
                    new_id=uuid7,
                ),
                approvals=approvals,
                outcomes=outcomes,
                policies=policies,
                signer_process=process,
                signer=signer,
                audit=AuditService(database),
            )
            yield opened
            # What a test leaves unfinished is nobody's work: another test's pump has another signer.
            await opened.execute("UPDATE transfers SET next_at = NULL WHERE next_at IS NOT NULL")
            await opened.execute("UPDATE payments SET next_at = NULL WHERE next_at IS NOT NULL")
            await signer.close()


def _token(chain_url: str, wallet: str, minted_minor: int, odd_token: Contract | None) -> str:
    if odd_token is None:
        return deploy_test_usd(chain_url, mint_to=wallet, amount_minor=minted_minor)
    odd_token.must_send(DEPLOYER, "mint", wallet, minted_minor)
    return odd_token.at


def _profile(token: str, odd_token: Contract | None) -> NetworkProfile:
    text = shipped_profile("development")
    if odd_token is not None:
        text = text.replace(
            SHIPPED_TOKEN.runtime_code_hash.hex(), odd_token.artifact.runtime_code_hash.hex()
        )
    return load_profile(text, token_addresses={"USDC": token})


def _allowed_disperse(chain_url: str, wallet: int, token: str, batching: Batching) -> str:
    """The contract that pays batches, allowed by the wallet before it is taken into the books."""
    disperse = deploy_disperse(chain_url)
    with JsonRpc(chain_url) as rpc:
        allow = approve_calldata(disperse, batching.allowed_minor)
        assert send(rpc, wallet, to=token, data=allow)["status"] == "0x1"
    return disperse


def _policy(batching: Batching | None) -> str:
    text = NORWICK.read_text()
    if batching is None or batching.at_most is None:
        return text
    return f"{text}\nbatches:\n  at_most: {batching.at_most}\n"


def fund_gas(chain_url: str, address: str) -> None:
    """Native coin for the wallet, mined at once."""
    with JsonRpc(chain_url) as rpc:
        nonce = int(rpc("eth_getTransactionCount", development_account(0).address, "pending"), 16)
        raw, _ = signed(0, nonce, to=address, value_wei=GAS_WEI)
        rpc("eth_sendRawTransaction", raw)
        rpc("evm_mine")


async def _payees(
    database: Database, organization: TestOrganization, clock: Clock
) -> dict[str, Payee]:
    service = PayeeService(database=database, clock=clock, new_id=uuid7)
    made: dict[str, Payee] = {}
    for code, name, address in WORLD:
        payee = await service.create(organization.clerk, code=code, name=name)
        entry = await service.add_address(
            organization.clerk, payee.id, chain_id=31337, address=address
        )
        await service.verify_address(organization.administrator, entry.id, cooling_off_s=0)
        made[code] = await service.get(organization.clerk, payee.id)
    return made


def at(instant: datetime) -> Clock:
    """A clock that stands still."""
    return lambda: instant
