"""The real application over the real database and a real Valkey, for one fresh organization.

No worker runs: `read_and_propose` does what its job does to an invoice.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from redis.asyncio import Redis
from starlette.types import ASGIApp
from uuid_utils.compat import uuid7

from api.main import create_app
from api.services import ApiSettings, ComponentHealth, Health, Probe, Services
from tests.support.approvals import job_queue
from tests.support.clock import ManualClock
from tests.support.identity import identity_service, step_up, totp_codes
from tests.support.invoices import invoice_reviews, invoice_service, read
from tests.support.organization import TestOrganization
from tests.support.payees import create_world, payee_service
from tests.support.treasury import ETH, NORWICK, USDC
from treasurer.allowances.service import AllowanceService
from treasurer.approvals.delegations import Delegations
from treasurer.approvals.service import ApprovalService
from treasurer.approvals.settings import ApprovalSettingsService
from treasurer.audit.service import AuditService
from treasurer.cash.service import CashService
from treasurer.db.engine import Database
from treasurer.identity.counters import WindowCounters
from treasurer.incidents.service import IncidentService
from treasurer.invoices.model import Invoice, InvoiceState
from treasurer.kernel.ids import InvoiceId, WalletId
from treasurer.ledger import store as ledger
from treasurer.ledger.model import JournalEntry, Posting, opening_equity, wallet_account
from treasurer.notifications.service import Outbox
from treasurer.payees.changes import PayeeChanges
from treasurer.payees.model import Payee
from treasurer.payments import wallets
from treasurer.payments.backtests import BacktestService
from treasurer.payments.outcomes import PaymentOutcomes
from treasurer.payments.rail import Rail, RailToken
from treasurer.payments.service import PaymentService
from treasurer.payments.wallets import Wallet
from treasurer.policies.life import PolicyLife
from treasurer.policies.service import PolicyService
from treasurer.prices.feed import DeclaredPar
from treasurer.purchases.service import PurchaseService
from treasurer.transfers.service import TransferService

HOST = "treasurer.test"
TOKEN_ADDRESS = "0x5fbdb2315678afecb367f032d93f642f64180aa3"
RAIL = Rail(31337, "development", ETH, (RailToken(USDC, TOKEN_ADDRESS, "USD"),), 7 * 24 * 3600)
OPENING_MINOR = 50_000_000_000
"""50,000.00 USDC in the treasury's wallet."""


async def healthy() -> ComponentHealth:
    return ComponentHealth(Health.HEALTHY)


PROBES: Mapping[str, Probe] = dict.fromkeys(
    ("database", "redis", "chain", "signer", "worker"), healthy
)


@dataclass
class ApiWorld:
    """One organization's people, and the application that they call."""

    organization: TestOrganization
    services: Services
    clock: ManualClock
    app: FastAPI
    client: httpx.AsyncClient

    async def bearer(self, person: str) -> dict[str, str]:
        """The Authorization header of one of the organization's people."""
        session = await self.services.identity.session_for(self.organization.email(person))
        return {"Authorization": f"Bearer {session.access_token}"}

    async def cookie(self, person: str) -> str:
        """The Cookie header of that person's browser."""
        identity = self.services.identity
        session = await identity.redeem_link(
            await identity.login_link(self.organization.email(person))
        )
        return f"treasurer_session={session.cookie}"

    async def get(self, path: str, person: str = "cfo", **parameters: object) -> httpx.Response:
        return await self.client.get(
            path,
            headers=await self.bearer(person),
            params={name: str(value) for name, value in parameters.items()},
        )

    async def post(self, path: str, person: str, body: object) -> httpx.Response:
        return await self.client.post(path, headers=await self.bearer(person), json=body)

    async def submit(
        self, content: bytes, *, key: str | None = None, path: str = "/api/v1/invoices"
    ) -> httpx.Response:
        headers = {**await self.bearer("clerk"), "Content-Type": "text/plain; charset=utf-8"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self.client.post(path, headers=headers, content=content)

    async def set_up(self) -> dict[str, Payee]:
        """The Norwick policy, its payees and a funded wallet."""
        services, organization = self.services, self.organization
        await services.policies.activate_first(organization.administrator, NORWICK.read_text())
        await _fund(services.database, organization, self.clock)
        return await create_world(services.payees, organization)

    async def read_and_propose(self, invoice_id: InvoiceId) -> Invoice:
        """What the worker's job does: read the document, record it, propose where it may be."""
        invoices, agent = self.services.invoices, self.organization.agent
        document = await invoices.document(agent, invoice_id)
        invoice = await invoices.record_reading(
            agent, invoice_id, read(document.content), read_by="rules"
        )
        if invoice.state is InvoiceState.READING:
            await self.services.payments.propose(agent, invoice_id)
        return await invoices.get(agent, invoice_id)

    async def paid_for(self, content: bytes) -> dict[str, Any]:
        """Submit an invoice, let it be read and proposed, and return its payment."""
        submitted = (await self.submit(content)).json()
        await self.read_and_propose(InvoiceId(UUID(submitted["id"])))
        payments = (await self.get("/api/v1/payments")).json()["items"]
        (payment,) = (each for each in payments if each["invoice_id"] == submitted["id"])
        return dict(payment)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """While this lasts, received invoices are read and proposed."""

        async def work() -> None:
            while True:
                waiting = await self.services.invoices.page(
                    self.organization.agent, state=InvoiceState.RECEIVED
                )
                for invoice in waiting:
                    await self.read_and_propose(invoice.id)
                await asyncio.sleep(0.01)

        task = asyncio.create_task(work())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


def services_for(
    database: Database, valkey: Redis, clock: ManualClock, settings: ApiSettings
) -> Services:
    """The services as bootstrap composes them."""
    outbox = Outbox(queue=job_queue(), clock=clock, new_id=uuid7)
    outcomes = PaymentOutcomes(outbox=outbox, new_id=uuid7)
    policies = PolicyService(database=database, clock=clock, new_id=uuid7)
    life = PolicyLife(database=database, policies=policies, clock=clock, new_id=uuid7)
    prices = DeclaredPar({"USDC": "USD"}, clock)
    approvals = ApprovalService(
        database=database,
        gate=outcomes,
        outbox=outbox,
        jobs=job_queue(),
        clock=clock,
        new_id=uuid7,
    )
    return Services(
        settings=settings,
        database=database,
        counters=WindowCounters(valkey, clock=clock),
        clock=clock,
        new_id=uuid7,
        identity=identity_service(database, valkey, clock),
        invoices=invoice_service(database, clock),
        invoice_reviews=invoice_reviews(database, clock),
        payees=payee_service(database, clock),
        payee_changes=PayeeChanges(database=database, clock=clock, new_id=uuid7),
        purchases=PurchaseService(database=database, clock=clock, new_id=uuid7),
        payments=PaymentService(
            database=database,
            rail=RAIL,
            prices=prices,
            policies=policies,
            approvals=approvals,
            outcomes=outcomes,
            clock=clock,
            new_id=uuid7,
        ),
        transfers=TransferService(database=database, clock=clock, new_id=uuid7),
        allowances=AllowanceService(
            database=database,
            rail=replace(RAIL, disperse="0x" + "d1" * 20),
            clock=clock,
            new_id=uuid7,
        ),
        incidents=IncidentService(database=database, clock=clock, new_id=uuid7),
        approvals=approvals,
        approval_settings=ApprovalSettingsService(database=database, clock=clock, new_id=uuid7),
        delegations=Delegations(database=database, clock=clock, new_id=uuid7),
        step_up=step_up(database, valkey, clock),
        codes=totp_codes(database, clock),
        policies=policies,
        policy_life=life,
        backtests=BacktestService(database=database, life=life, clock=clock),
        cash=CashService(database=database, rail=RAIL, prices=prices, clock=clock),
        audit=AuditService(database),
        probes=PROBES,
    )


@asynccontextmanager
async def open_world(
    database: Database,
    valkey: Redis,
    organization: TestOrganization,
    clock: ManualClock,
    *,
    settings: ApiSettings | None = None,
    probes: Mapping[str, Probe] = PROBES,
    pages: ASGIApp | None = None,
    address: str = "203.0.113.7",
) -> AsyncIterator[ApiWorld]:
    """The application, and a client at `address`. The limit is out of the way unless it is set."""
    settings = settings or ApiSettings(
        served_over_tls=False, requests_per_minute=10_000, process_wait_s=0.3
    )
    services = replace(services_for(database, valkey, clock, settings), probes=probes)
    app = create_app(services, pages=pages)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        yield ApiWorld(organization, services, clock, app, client)


async def _fund(database: Database, organization: TestOrganization, clock: ManualClock) -> None:
    """A wallet with its opening balance booked, as enrolment leaves it."""
    wallet = Wallet(
        WalletId(uuid7()), 31337, f"0x{organization.id.hex}00000000", "treasury", "active", 0, 0
    )
    async with database.unit(organization.id) as connection:
        await wallets.insert(connection, organization.id, wallet, clock())
        account = await ledger.open_account(
            connection, organization.id, wallet_account(wallet.id, USDC), uuid7
        )
        equity = await ledger.open_account(connection, organization.id, opening_equity(USDC), uuid7)
        entry = JournalEntry(
            "opening",
            wallet.id,
            (Posting(account, "USDC", OPENING_MINOR), Posting(equity, "USDC", -OPENING_MINOR)),
        )
        await ledger.post(connection, organization.id, [entry], now=clock(), new_id=uuid7)
