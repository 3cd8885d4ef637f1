"""Owns the composition: which object is built from which. Must never decide anything else.

What only the worker needs is imported where it is built, so that the API starts without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from redis.asyncio import Redis
from uuid_utils.compat import uuid7

from treasurer.allowances.service import AllowanceService
from treasurer.approvals.deadlines import Deadlines
from treasurer.approvals.delegations import Delegations
from treasurer.approvals.links import ApprovalLinks, issue
from treasurer.approvals.service import ApprovalService
from treasurer.approvals.settings import ApprovalSettingsService
from treasurer.audit.head_key import FILE_NAME as HEAD_KEY_FILE
from treasurer.audit.head_key import PinnedHeadKey
from treasurer.audit.service import AuditService
from treasurer.cash.service import CashService
from treasurer.chain.networks import NetworkProfile, load_profile
from treasurer.db.engine import Database, DatabaseUrls, conninfo, open_database
from treasurer.db.jobs import JobQueue
from treasurer.documents.limits import Limits
from treasurer.identity.counters import WindowCounters
from treasurer.identity.passwords import Passwords
from treasurer.identity.service import IdentityService
from treasurer.identity.step_up import StepUp
from treasurer.identity.throttle import SignInThrottle
from treasurer.identity.tokens import TokenSigner
from treasurer.identity.totp import TotpCodes
from treasurer.incidents.service import IncidentService
from treasurer.invoices.reviewing import InvoiceReviews
from treasurer.invoices.service import InvoiceService
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import NewId
from treasurer.notifications.service import Mailbox, NotificationService, Outbox
from treasurer.payees.changes import PayeeChanges
from treasurer.payees.sanctions import SanctionsService
from treasurer.payees.service import PayeeService
from treasurer.payments.backtests import BacktestService
from treasurer.payments.outcomes import PaymentOutcomes
from treasurer.payments.rail import Rail, RailToken
from treasurer.payments.recomputing import Recomputing
from treasurer.payments.service import PaymentService
from treasurer.payments.verification import DecisionVerification
from treasurer.policies.life import PolicyLife
from treasurer.policies.service import PolicyService
from treasurer.prices.feed import DeclaredPar, PriceFeed
from treasurer.purchases.service import PurchaseService
from treasurer.reports.service import ReportService
from treasurer.secrets import database_urls, token_key, totp_key
from treasurer.settings import Settings
from treasurer.transfers.service import TransferService

if TYPE_CHECKING:
    from procrastinate import App

    from saga.context import SagaContext
    from treasurer.audit.reconciliation.service import Reconciliation
    from treasurer.chain.port import Chain, OpenChain
    from treasurer.chain.signer_client import SignerClient
    from treasurer.deposits.coins import CoinService
    from treasurer.deposits.service import DepositService
    from treasurer.notifications.transport import MailTransport


def utc_now() -> datetime:
    """The service's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Core:
    """The services of one process. Close it when done."""

    settings: Settings
    network: NetworkProfile
    rail: Rail
    clock: Clock
    new_id: NewId
    urls: DatabaseUrls
    database: Database
    valkey: Redis
    counters: WindowCounters
    jobs: JobQueue
    outbox: Outbox
    outcomes: PaymentOutcomes
    prices: PriceFeed
    identity: IdentityService
    invoices: InvoiceService
    invoice_reviews: InvoiceReviews
    payees: PayeeService
    sanctions: SanctionsService
    payee_changes: PayeeChanges
    purchases: PurchaseService
    policies: PolicyService
    policy_life: PolicyLife
    backtests: BacktestService
    verification: DecisionVerification
    approvals: ApprovalService
    approval_links: ApprovalLinks
    approval_settings: ApprovalSettingsService
    delegations: Delegations
    deadlines: Deadlines
    step_up: StepUp
    codes: TotpCodes
    payments: PaymentService
    allowances: AllowanceService
    transfers: TransferService
    incidents: IncidentService
    recomputing: Recomputing
    cash: CashService
    reports: ReportService
    audit: AuditService

    async def close(self) -> None:
        """Give all connections back, after what was taken in is stored."""
        await self.invoices.drain()
        await self.valkey.aclose()
        await self.database.close()


def open_core(settings: Settings, *, pool_size: int = 10) -> Core:
    """Build all services over the database and Valkey that the settings name. Connects to nothing."""
    clock, new_id = utc_now, uuid7
    network = read_network(settings)
    rail = rail_of(network, settings)
    urls = database_urls(settings)
    database = open_database(urls, pool_size=pool_size)
    valkey = Redis.from_url(_redis_url(settings))
    counters = WindowCounters(valkey, clock=clock)
    jobs = JobQueue()
    outbox = Outbox(queue=jobs, clock=clock, new_id=new_id)
    outcomes = PaymentOutcomes(outbox=outbox, new_id=new_id)
    policies = PolicyService(database=database, clock=clock, new_id=new_id)
    life = PolicyLife(database=database, policies=policies, clock=clock, new_id=new_id)
    prices = DeclaredPar({token.symbol: token.peg for token in network.tokens}, clock)
    approvals = _approvals(database, outcomes, outbox, jobs)
    doors = _doors(settings, database, counters)
    return Core(
        settings=settings,
        network=network,
        rail=rail,
        clock=clock,
        new_id=new_id,
        urls=urls,
        database=database,
        valkey=valkey,
        counters=counters,
        jobs=jobs,
        outbox=outbox,
        outcomes=outcomes,
        prices=prices,
        identity=doors.identity,
        invoices=InvoiceService(
            database=database,
            jobs=jobs,
            outbox=outbox,
            clock=clock,
            new_id=new_id,
            limits=Limits(),
        ),
        invoice_reviews=InvoiceReviews(database=database, jobs=jobs, clock=clock, new_id=new_id),
        payees=PayeeService(database=database, clock=clock, new_id=new_id),
        sanctions=SanctionsService(database=database, clock=clock, new_id=new_id),
        payee_changes=PayeeChanges(database=database, clock=clock, new_id=new_id),
        purchases=PurchaseService(database=database, clock=clock, new_id=new_id),
        policies=policies,
        policy_life=life,
        backtests=BacktestService(database=database, life=life, clock=clock),
        verification=DecisionVerification(database=database),
        approvals=approvals,
        approval_links=ApprovalLinks(database=database, approvals=approvals, clock=clock),
        approval_settings=ApprovalSettingsService(database=database, clock=clock, new_id=new_id),
        delegations=Delegations(database=database, clock=clock, new_id=new_id),
        deadlines=Deadlines(database=database, outbox=outbox, clock=clock, new_id=new_id),
        step_up=doors.step_up,
        codes=doors.codes,
        payments=PaymentService(
            database=database,
            rail=rail,
            prices=prices,
            policies=policies,
            approvals=approvals,
            outcomes=outcomes,
            clock=clock,
            new_id=new_id,
        ),
        allowances=AllowanceService(database=database, rail=rail, clock=clock, new_id=new_id),
        transfers=TransferService(database=database, clock=clock, new_id=new_id),
        incidents=IncidentService(database=database, clock=clock, new_id=new_id),
        recomputing=Recomputing(database=database, jobs=jobs, clock=clock, new_id=new_id),
        cash=CashService(database=database, rail=rail, prices=prices, clock=clock),
        reports=ReportService(database=database, clock=clock),
        audit=AuditService(database, PinnedHeadKey(settings.home.root / HEAD_KEY_FILE)),
    )


@dataclass(frozen=True, slots=True)
class _Doors:
    """How people get in and prove themselves: one throttle and one hasher behind all of it."""

    identity: IdentityService
    step_up: StepUp
    codes: TotpCodes


def _doors(settings: Settings, database: Database, counters: WindowCounters) -> _Doors:
    clock, new_id = utc_now, uuid7
    passwords, throttle = Passwords(), SignInThrottle(counters)
    codes = TotpCodes(database=database, key=totp_key(settings), clock=clock, new_id=new_id)
    signer = TokenSigner(
        token_key(settings), issuer=settings.url, audience="treasurer", clock=clock
    )
    return _Doors(
        identity=IdentityService(
            database=database,
            signer=signer,
            passwords=passwords,
            throttle=throttle,
            clock=clock,
            new_id=new_id,
        ),
        step_up=StepUp(
            database=database,
            passwords=passwords,
            codes=codes,
            throttle=throttle,
            clock=clock,
            new_id=new_id,
        ),
        codes=codes,
    )


def _approvals(
    database: Database, outcomes: PaymentOutcomes, outbox: Outbox, jobs: JobQueue
) -> ApprovalService:
    return ApprovalService(
        database=database,
        gate=outcomes,
        outbox=outbox,
        jobs=jobs,
        clock=utc_now,
        new_id=uuid7,
    )


def read_network(settings: Settings) -> NetworkProfile:
    """The network that this installation was set up for. Raises InvalidInput if it was not."""
    try:
        text = settings.home.network.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidInput(
            "NOT_SET_UP",
            f"{settings.home.root} has no network.yaml: run `treasurer init`, "
            "or `treasurer up --demo` to look around",
        ) from None
    return load_profile(text)


def rail_of(network: NetworkProfile, settings: Settings) -> Rail:
    """How payments leave by that network."""
    return Rail(
        chain_id=network.chain_id,
        network=network.name,
        native=network.native,
        tokens=tuple(RailToken(token.asset, token.address, token.peg) for token in network.tokens),
        order_lifetime_s=settings.order_lifetime_s,
        disperse=network.disperse.address if network.disperse else None,
    )


def open_queue(core: Core) -> App:
    """The queue of jobs, for the process that runs them. Connects when it is opened."""
    from procrastinate import App, PsycopgConnector

    return App(connector=PsycopgConnector(conninfo=conninfo(core.urls.system)))


def open_chain(core: Core) -> OpenChain:
    """The network through the providers that RPC_URL names. Close it when done."""
    from treasurer.chain.connect import open_network

    rpc_urls = core.settings.rpc_urls
    if not rpc_urls:
        raise InvalidInput("RPC_URL_MISSING", "set RPC_URL to a node of the network")
    return open_network(rpc_urls, core.network)


def open_signer(core: Core) -> SignerClient:
    """The signer's socket. Close it when done."""
    from treasurer.chain.signer_client import SignerClient

    socket = core.settings.signer_socket or core.settings.home.signer / "signer.sock"
    return SignerClient(socket)


def saga_context(core: Core, chain: Chain) -> SagaContext:
    """What the pump works with."""
    from saga.context import FeePolicy, Pace, SagaContext
    from saga.failpoints import arm, unarmed
    from treasurer.chain.pinning import TokenWatch

    settings = core.settings
    armed = settings.treasurer_failpoint
    return SagaContext(
        database=core.database,
        chain=chain,
        tokens=TokenWatch(chain, core.network, core.clock),
        rail=core.rail,
        fees=FeePolicy(
            settings.gas_limit,
            core.network.fee_caps(settings.payment_fee_cap_gwei, settings.cancel_fee_cap_gwei),
        ),
        pace=Pace(lease_s=settings.lease_s),
        clock=core.clock,
        new_id=core.new_id,
        prices=core.prices,
        policies=core.policies,
        approvals=core.approvals,
        outcomes=core.outcomes,
        failpoint=arm(armed) if armed else unarmed,
    )


def open_reconciliation(core: Core, chain: Chain) -> Reconciliation:
    """Holds database and chain against the money invariants."""
    from treasurer.audit.reconciliation.scene import Network
    from treasurer.audit.reconciliation.service import Reconciliation

    network = core.network
    return Reconciliation(
        database=core.database,
        chain=chain,
        network=Network(
            network.chain_id,
            network.native,
            {token.address: token.asset for token in network.tokens},
        ),
        audit=core.audit,
        clock=core.clock,
        new_id=core.new_id,
    )


def open_deposits(core: Core, chain: Chain) -> tuple[DepositService, CoinService]:
    """What follows all organizations' wallets: tokens by their logs, coins by final balances."""
    from treasurer.deposits.coins import CoinService
    from treasurer.deposits.service import DepositService

    database, rail, clock, new_id = core.database, core.rail, core.clock, core.new_id
    tokens = DepositService(database=database, chain=chain, rail=rail, clock=clock, new_id=new_id)
    coins = CoinService(database=database, chain=chain, rail=rail, clock=clock, new_id=new_id)
    return tokens, coins


def open_notifications(core: Core) -> NotificationService:
    """Delivery of mails, by SMTP where a server is set, else into files. Raises InvalidInput."""
    from treasurer.notifications.sender import sender_of

    return NotificationService(
        database=core.database,
        queue=core.jobs,
        transport=_mail_transport(core.settings),
        issue_link=issue,
        mailbox=Mailbox(sender_of(core.settings.mail_from), core.settings.url),
        clock=core.clock,
        new_id=core.new_id,
    )


def _mail_transport(settings: Settings) -> MailTransport:
    if settings.smtp_url is None:
        from treasurer.notifications.transport import FileTransport

        return FileTransport(settings.home.mails)
    from treasurer.notifications.smtp import SmtpTransport, parse_smtp_url

    return SmtpTransport(parse_smtp_url(settings.smtp_url.get_secret_value()))


def _redis_url(settings: Settings) -> str:
    if settings.redis_url is None:
        raise InvalidInput(
            "REDIS_URL_MISSING", "set REDIS_URL, or start the embedded one with `treasurer up`"
        )
    return settings.redis_url.get_secret_value()
