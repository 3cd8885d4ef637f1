"""The world of a fault schedule: one organization, some wallets, payees, approved payments.

Organization, people, payees, policy and enrolment are made by the services; payments by SQL, as
proposing leaves them, or by the service where a test needs decisions and votes from the start.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from coincurve import PrivateKey
from sqlalchemy import text
from uuid_utils.compat import uuid7

from saga.context import FeePolicy, Pace, SagaContext
from saga.failpoints import Failpoint, unarmed
from tests.faults.chain import NodeChain
from tests.faults.node import CHAIN_ID, DISPERSE, GWEI, TOKEN, Node
from tests.faults.signers import JournalSigner, address_of, key_of
from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization, create_organization
from treasurer.approvals.service import ApprovalService
from treasurer.audit.reconciliation.scene import Network
from treasurer.audit.reconciliation.service import Reconciliation
from treasurer.audit.service import AuditService
from treasurer.chain.fees import FeeCaps
from treasurer.chain.pinning import TokenCheck
from treasurer.chain.port import Chain
from treasurer.db.engine import Database
from treasurer.db.jobs import JobQueue
from treasurer.deposits.coins import CoinService
from treasurer.kernel.clock import Clock
from treasurer.kernel.ids import InvoiceId, PaymentId
from treasurer.kernel.money import Asset
from treasurer.kernel.order import ExecutionOrder, OrderItem, Quote
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
RAIL = Rail(CHAIN_ID, "laboratory", ETH, (RailToken(USDC, TOKEN, "USD"),), 7 * 24 * 3600)
NETWORK = Network(CHAIN_ID, ETH, {TOKEN: USDC})
GAS_WEI = 10**20
MINTED_MINOR = 10**12
PAYEES = 3
POLICY = """
policy: 1
name: laboratory
reporting: {currency: USD, decimals: 2}
pay_in: [{asset: USDC, chain: 31337}]
tiers:
  - {up_to: 1000.00 USD, then: pay without asking}
  - {up_to: 10000.00 USD, then: ask 1 of approver}
limits:
  per_payment: [{at_most: 10000.00 USD}]
  rolling_24h: {at_most: 1000000.00 USD}
payees: {cooling_off: 24 h}
duplicates: {near: ask 1 of approver or cfo}
runway: {deny_below: 30 days, ask_below: 90 days, ask: 1 of cfo, max_age: 7 days}
max_age: {ledger: 5 min, price: 15 min}
approvals: {expire_after: 72 h}
"""
_INVOICES = text("""
    WITH document AS (
        INSERT INTO documents (organization_id, sha256, media_type, content, received_at)
        SELECT :organization_id, sha256(CAST(i.number AS bytea)), 'text/plain',
            CAST(i.number AS bytea), :now
        FROM unnest(CAST(:numbers AS text[])) AS i (number))
    INSERT INTO invoices (organization_id, id, state, channel, document_sha256, submitted_by,
        received_at, payee_id, invoice_number, invoice_number_key, currency, currency_decimals,
        payable_amount_minor, open_amount_minor)
    SELECT :organization_id, i.id, :state, 'api', sha256(CAST(i.number AS bytea)), :submitter,
        :now, i.payee, i.number, i.number, 'USDC', 6, i.amount, i.amount
    FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS text[]), CAST(:payees AS uuid[]),
                CAST(:amounts AS numeric[])) AS i (id, number, payee, amount)
""")
_PAYMENTS = text("""
    WITH payment AS (
        INSERT INTO payments (organization_id, id, invoice_id, payee_id, payee_address_id, state,
            initiator_id, initiator_kind, asset, amount_minor, reporting_amount_minor, order_bytes,
            order_digest, not_after, created_at, next_at)
        SELECT :organization_id, p.id, p.invoice, p.payee, p.address, 'approved', :submitter,
            'human', 'USDC', p.amount, div(p.amount, 10000), p.bytes, sha256(p.bytes), :not_after,
            :now, :now
        FROM unnest(CAST(:ids AS uuid[]), CAST(:invoices AS uuid[]), CAST(:payees AS uuid[]),
                    CAST(:addresses AS uuid[]), CAST(:orders AS bytea[]),
                    CAST(:amounts AS numeric[])) AS p (id, invoice, payee, address, bytes, amount)
        RETURNING id, invoice_id, amount_minor)
    INSERT INTO allocations (organization_id, payment_id, invoice_id, amount_minor, state)
    SELECT :organization_id, id, invoice_id, amount_minor, 'live' FROM payment
""")

BATCHES = "batches: {at_most: 20}\n"
LOW_GAS_WEI = 10**18
GAS = "gas: {{wallet: '{}', below_gwei: 5{}, top_up_gwei: 20{}, rolling_24h_gwei: 45{}}}\n"
"""Below 5 coins a wallet gets 20, and all of them 45 a day."""


def gas_section(name: str, index: int) -> str:
    """Of a policy set whose gas money comes from wallet `index` of the world `name`."""
    return GAS.format(address_of(key_of(f"{name} {index}")), *["0" * 9] * 3)


@dataclass(frozen=True)
class SoundTokens:
    """Every token is what was pinned."""

    clock: Clock

    async def check(self, token: str) -> TokenCheck:
        return TokenCheck(token, self.clock(), ())


@dataclass
class World:
    """One organization on one laboratory node, under one clock."""

    database: Database
    organization: TestOrganization
    node: Node
    clock: ManualClock
    keys: Sequence[PrivateKey]
    signer: JournalSigner
    wallets: list[Wallet]
    payees: list[Payee]
    policies: PolicyService
    approvals: ApprovalService
    outcomes: PaymentOutcomes
    payments: PaymentService
    audit: AuditService
    rail: Rail

    def context(
        self, chain: Chain, *, failpoint: Failpoint = unarmed, clock: Clock | None = None
    ) -> SagaContext:
        return SagaContext(
            database=self.database,
            chain=chain,
            rail=self.rail,
            tokens=SoundTokens(self.clock),
            fees=FeePolicy(120_000, FeeCaps(100 * GWEI, 150 * GWEI)),
            pace=replace(Pace(), lease_s=20, poll=timedelta(0), retry=timedelta(seconds=2)),
            clock=clock or self.clock,
            new_id=uuid7,
            prices=DeclaredPar({"USDC": "USD"}, clock or self.clock),
            policies=self.policies,
            approvals=self.approvals,
            outcomes=self.outcomes,
            failpoint=failpoint,
        )

    def reconciliation(self, chain: Chain | None = None) -> Reconciliation:
        """The auditor, on the honest node unless `chain` is given."""
        return Reconciliation(
            database=self.database,
            chain=chain or NodeChain(self.node),
            network=NETWORK,
            audit=self.audit,
            clock=self.clock,
            new_id=uuid7,
        )

    def coins(self, chain: Chain | None = None) -> CoinService:
        """What notices coins that somebody sent, on the honest node unless `chain` is given."""
        return CoinService(
            database=self.database,
            chain=chain or NodeChain(self.node),
            rail=self.rail,
            clock=self.clock,
            new_id=uuid7,
        )

    async def approve(self, amounts: Sequence[int]) -> list[PaymentId]:
        """Approved payments of these amounts, each of an invoice of its own, due now."""
        ids = [PaymentId(uuid7()) for _ in amounts]
        invoices = [uuid7() for _ in amounts]
        payees = [self.payees[i % len(self.payees)] for i in range(len(amounts))]
        not_after = (self.clock() + timedelta(days=7)).replace(microsecond=0)
        common = {
            "organization_id": self.organization.id,
            "submitter": self.organization.clerk.user_id,
            "now": self.clock(),
            "payees": [payee.id for payee in payees],
            "amounts": list(amounts),
        }
        orders = [
            self._order(id_, payee, amount)
            for id_, payee, amount in zip(ids, payees, amounts, strict=True)
        ]
        async with self.database.unit(self.organization.id) as connection:
            await connection.execute(
                _INVOICES,
                common
                | {"ids": invoices, "numbers": [str(id_) for id_ in invoices], "state": "proposed"},
            )
            await connection.execute(
                _PAYMENTS,
                common
                | {
                    "ids": ids,
                    "invoices": invoices,
                    "addresses": [payee.addresses[0].id for payee in payees],
                    "orders": [order.canonical_bytes() for order in orders],
                    "not_after": not_after,
                },
            )
        return ids

    async def propose(self, amount_minor: int) -> Payment:
        """A payment through the proposing service, as intake's agent asks for it."""
        invoice_id = InvoiceId(uuid7())
        async with self.database.unit(self.organization.id) as connection:
            await connection.execute(
                _INVOICES,
                {
                    "organization_id": self.organization.id,
                    "submitter": self.organization.clerk.user_id,
                    "now": self.clock(),
                    "payees": [self.payees[1].id],
                    "amounts": [amount_minor],
                    "ids": [invoice_id],
                    "numbers": [str(invoice_id)],
                    "state": "reading",
                },
            )
        return await self.payments.propose(self.organization.agent, invoice_id)

    async def suspend(self, payee: Payee) -> None:
        """Nothing more is to be paid to it: what is not out yet is given up by a cancel."""
        await self._set_payees("suspended", payee)

    async def resume(self) -> None:
        """All payees may be paid again."""
        for payee in self.payees:
            await self._set_payees("active", payee)

    async def _set_payees(self, state: str, payee: Payee) -> None:
        async with self.database.unit(self.organization.id) as connection:
            await connection.execute(
                text("UPDATE payees SET state = :state WHERE id = :id"),
                {"state": state, "id": payee.id},
            )

    async def postpone(self) -> None:
        """Approved payments wait for a day: what comes next is about others."""
        async with self.database.unit(self.organization.id) as connection:
            await connection.execute(
                text("UPDATE payments SET next_at = next_at + interval '1 day'")
            )

    async def rows(self, sql: str, **parameters: object) -> list[tuple[object, ...]]:
        """The organization's rows, as the app role sees them."""
        async with self.database.unit(self.organization.id) as connection:
            return [tuple(row) for row in await connection.execute(text(sql), parameters)]

    async def retire(self) -> None:
        """What is left unfinished is nobody's work: another world has another chain."""
        async with self.database.unit(self.organization.id) as connection:
            for table in ("transfers", "payments"):
                await connection.execute(
                    text(f"UPDATE {table} SET next_at = NULL WHERE next_at IS NOT NULL")
                )

    def _order(self, payment_id: PaymentId, payee: Payee, amount: int) -> ExecutionOrder:
        now = self.clock().replace(microsecond=0)
        not_after = now + timedelta(days=7)
        return ExecutionOrder(
            organization_id=self.organization.id,
            chain_id=CHAIN_ID,
            token=TOKEN,
            token_decimals=USDC.decimals,
            items=(OrderItem(payment_id, payee.addresses[0].address, amount),),
            permitted_wallets=tuple(sorted(wallet.address for wallet in self.wallets)),
            quote=Quote("USDC", amount, 6, 1, 1, ("par",), now, not_after),
            not_after=not_after,
        )


async def build_world(
    database: Database,
    name: str,
    *,
    wallets: int = 3,
    finality_lag: int = 2,
    policy: str = POLICY,
    batches: bool = False,
    gas_wei: Sequence[int] = (),
    rollup_fee_wei: int = 0,
) -> World:
    """A fresh organization whose wallets are funded on a fresh node. `name` makes its keys; `gas_wei` says
    which of the first wallets have less gas money; with `batches` payments may share transactions.
    """
    clock = ManualClock()
    node = Node(finality_lag=finality_lag, rollup_fee_wei=rollup_fee_wei)
    keys = [key_of(f"{name} {index}") for index in range(wallets)]
    for index, key in enumerate(keys):
        native_wei = gas_wei[index] if index < len(gas_wei) else GAS_WEI
        node.fund(address_of(key), token_minor=MINTED_MINOR, native_wei=native_wei)
    node.mine()
    organization = await create_organization(database, burn_minor=100_000_00)
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
    await policies.activate_first(organization.administrator, policy + (BATCHES if batches else ""))
    enrolment = WalletEnrolment(
        database=database, chain=NodeChain(node), rail=RAIL, clock=clock, new_id=uuid7
    )
    return World(
        database=database,
        organization=organization,
        node=node,
        clock=clock,
        keys=keys,
        signer=JournalSigner(keys),
        wallets=[
            await enrolment.enrol(
                organization.id, address=address_of(key), label=f"wallet {index}", actor=None
            )
            for index, key in enumerate(keys)
        ],
        payees=await _payees(database, organization, clock, name),
        policies=policies,
        approvals=approvals,
        outcomes=outcomes,
        payments=PaymentService(
            database=database,
            rail=RAIL,
            prices=DeclaredPar({"USDC": "USD"}, clock),
            policies=policies,
            approvals=approvals,
            outcomes=outcomes,
            clock=clock,
            new_id=uuid7,
        ),
        audit=AuditService(database),
        rail=replace(RAIL, disperse=DISPERSE) if batches else RAIL,
    )


async def _payees(
    database: Database, organization: TestOrganization, clock: Clock, name: str
) -> list[Payee]:
    service = PayeeService(database=database, clock=clock, new_id=uuid7)
    made = []
    for index in range(PAYEES):
        payee = await service.create(
            organization.clerk, code=f"V-{index:03}", name=f"Supplier {'ABC'[index]} Ltd"
        )
        entry = await service.add_address(
            organization.clerk,
            payee.id,
            chain_id=CHAIN_ID,
            address=address_of(key_of(f"{name} payee {index}")),
        )
        await service.verify_address(organization.administrator, entry.id, cooling_off_s=0)
        made.append(await service.get(organization.clerk, payee.id))
    return made
