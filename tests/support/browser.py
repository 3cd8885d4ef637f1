"""The pages in a real browser: server on loopback, Chromium, and a seeded organization to look at."""

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from redis.asyncio import Redis
from sqlalchemy import text
from starlette.types import ASGIApp
from uuid_utils.compat import uuid7

from api.errors import problem, status_of
from api.main import create_app
from api.services import ApiSettings, Services
from dashboard.app import create_pages
from dashboard.services import PageServices
from tests.support.api import ApiWorld, services_for
from tests.support.approvals import job_queue
from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization, create_organization
from treasurer.approvals.links import ApprovalLinks
from treasurer.db.engine import Database
from treasurer.invoices.model import Invoice
from treasurer.kernel.ids import PaymentId, TransferId
from treasurer.ledger import store as ledger
from treasurer.ledger.model import JournalEntry, Posting, supplier_expense
from treasurer.notifications.service import Outbox
from treasurer.payments import decision_store, spending, store
from treasurer.payments.model import Payment
from treasurer.payments.outcomes import PaymentOutcomes
from treasurer.reports.service import ReportService

SAMPLES = Path("samples/invoices")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="needs the system's Chromium (apt-get install chromium)"
)
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
TRANSACTION_HASH = bytes.fromhex("5e" * 32)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The application on a free port of loopback, in this event loop."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[method-assign]
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells it by this attribute alone
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


@dataclass
class Visit:
    """One person's tab. `faults` collects console errors, failed scripts and CSP violations."""

    page: Page
    url: str
    context: BrowserContext
    faults: list[str] = field(default_factory=list)

    async def open(self, path: str) -> Page:
        await self.page.goto(self.url + path)
        return self.page

    async def overflow_px(self) -> int:
        """How far the page is wider than its window."""
        return int(
            await self.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )


@dataclass
class Dashboard(ApiWorld):
    """An organization with its server."""

    url: str
    pages: PageServices

    @asynccontextmanager
    async def visit(
        self,
        browser: Browser,
        person: str | None,
        *,
        viewport: dict[str, int] | None = None,
        dark: bool = False,
    ) -> AsyncIterator[Visit]:
        """A fresh browser profile, signed in as `person` by a login link."""
        context = await browser.new_context(
            viewport=viewport or DESK,  # type: ignore[arg-type]
            color_scheme="dark" if dark else "light",
        )
        page = await context.new_page()
        visit = Visit(page, self.url, context)
        page.on(
            "console",
            lambda message: (
                visit.faults.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        page.on("pageerror", lambda error: visit.faults.append(str(error)))
        if person is not None:
            link = await self.services.identity.login_link(self.organization.email(person))
            await visit.open(f"/login/link/{link}")
            await page.get_by_role("button", name="Sign in").click()
            await page.wait_for_url(self.url + "/")
        yield visit
        await context.close()

    async def browse(self, path: str, person: str | None, *, method: str = "GET") -> httpx.Response:
        """What a browser gets that sends that person's cookie."""
        headers = {"Accept": "text/html"}
        if person is not None:
            headers["Cookie"] = await self.cookie(person)
        return await self.client.request(method, path, headers=headers)

    async def post_form(
        self,
        path: str,
        person: str | None,
        fields: dict[str, str],
        *,
        token: str | None = None,
        origin: str | None = None,
        files: dict[str, tuple[str, bytes]] | None = None,
    ) -> httpx.Response:
        """A posted form of one session, with the token of its pages and our origin unless given."""
        headers = {"Accept": "text/html", "Origin": self.url if origin is None else origin}
        if person is not None:
            headers["Cookie"] = await self.cookie(person)
            page = await self.client.get("/policy", headers=headers)
            (own, *_) = re.findall(r'name="form_token" value="([0-9a-f]{64})"', page.text)
            fields = {"form_token": own if token is None else token, **fields}
        return await self.client.post(path, headers=headers, data=fields, files=files)

    async def submitted(self, content: bytes, filename: str) -> Invoice:
        """An invoice of the clerk's, read and proposed where it may be."""
        invoice = await self.services.invoices.receive(
            self.organization.clerk,
            content=content,
            filename=filename,
            media_type=None,
            channel="upload",
        )
        return await self.read_and_propose(invoice.id)

    async def outsider(self) -> dict[str, str]:
        """The headers of another organization's CFO in a browser."""
        other = await create_organization(self.services.database)
        identity = self.services.identity
        session = await identity.redeem_link(await identity.login_link(other.email("cfo")))
        return {"Accept": "text/html", "Cookie": f"treasurer_session={session.cookie}"}

    async def sample(self, name: str) -> Invoice:
        return await self.submitted((SAMPLES / name).read_bytes(), name)

    async def payment_of(self, invoice: Invoice) -> Payment:
        (payment,) = await self.services.payments.of_invoice(self.organization.cfo, invoice.id)
        return payment

    async def request_of(self, invoice: Invoice) -> UUID:
        """The id of the approval request about an invoice's payment."""
        payment = await self.payment_of(invoice)
        request = await self.services.approvals.newest(self.organization.cfo, payment.id)
        assert request is not None
        return request.id

    async def settle(self, payment: Payment) -> None:
        """What the saga leaves of an approved payment: transfer, attempt, entry, sums, events."""
        now, transfer_id = self.clock(), TransferId(uuid7())
        organization_id = self.organization.id
        async with self.services.database.unit(organization_id) as connection:
            stored = await decision_store.of_payment(connection, organization_id, payment.id)
            assert stored
            decision_id = (
                await connection.execute(text("SELECT id FROM decisions ORDER BY id DESC LIMIT 1"))
            ).scalar_one()
            await store.execute(
                connection, organization_id, {PaymentId(payment.id): (decision_id, "")}
            )
            wallet = (
                await connection.execute(text("SELECT id, address FROM wallets LIMIT 1"))
            ).one()
            common = {
                "org": organization_id,
                "id": transfer_id,
                "wallet": wallet.id,
                "sender": wallet.address,
                "now": now,
                "payment": payment.id,
                "amount": payment.amount_minor,
                "digest": payment.order_digest,
                "to": payment.recipient,
                "hash": TRANSACTION_HASH,
            }
            for statement in _SETTLED_TRANSFER:
                await connection.execute(text(statement), common)
            asset = payment.asset
            account = await ledger.open_account(
                connection, organization_id, supplier_expense(asset), uuid7
            )
            cash = next(
                balance
                for balance in await ledger.all_balances(connection, organization_id)
                if balance.code.startswith("wallet:") and balance.asset == asset
            )
            entry = JournalEntry(
                "payment.settled",
                payment.id,
                (
                    Posting(account, asset.symbol, payment.amount_minor),
                    Posting(cash.account_id, asset.symbol, -payment.amount_minor),
                ),
            )
            await ledger.post(connection, organization_id, [entry], now=now, new_id=uuid7)
            reporting = [payment.reporting_amount_minor]
            await spending.take_off(connection, organization_id, reporting)
            await spending.land(connection, organization_id, reporting, now)
            outbox = Outbox(queue=job_queue(), clock=self.clock, new_id=uuid7)
            outcomes = PaymentOutcomes(outbox=outbox, new_id=uuid7)
            balance = cash.posted_minor - payment.amount_minor
            await outcomes.settled(
                connection, organization_id, {payment.id: (TRANSACTION_HASH, balance)}, now
            )


_SETTLED_TRANSFER = (
    "INSERT INTO transfers (organization_id, id, wallet_id, chain_id, sender, token, state,"
    " nonce, gas_limit, max_fee_per_gas_wei, max_priority_fee_per_gas_wei,"
    " block_number, block_hash, created_at, settled_at)"
    " VALUES (:org, :id, :wallet, 31337, :sender, :sender, 'settled', 0, 120000, 1, 1, 42,"
    " :hash, :now, :now)",
    "INSERT INTO transfer_items (organization_id, transfer_id, position, payment_id, recipient,"
    " amount_minor, reporting_amount_minor, order_digest, state, chain_id)"
    " VALUES (:org, :id, 0, :payment, :to, :amount, 1, :digest, 'settled', 31337)",
    "INSERT INTO attempts (organization_id, transfer_id, number, kind, chain_id, transaction_hash,"
    " call_digest, raw, max_fee_per_gas_wei, max_priority_fee_per_gas_wei, created_at)"
    " VALUES (:org, :id, 1, 'payment', 31337, sha256(uuid_send(:id)), :digest, :digest, 1, 1, :now)",
)


@asynccontextmanager
async def open_dashboard(
    database: Database,
    valkey: Redis,
    organization: TestOrganization,
    clock: ManualClock,
    *,
    set_up: bool = True,
) -> AsyncIterator[Dashboard]:
    """API and pages as one application, served; with the Norwick policy, payees and a wallet."""
    settings = ApiSettings(served_over_tls=False, requests_per_minute=100_000, process_wait_s=0.3)
    services = services_for(database, valkey, clock, settings)
    pages = page_services(services)
    app = create_app(services, pages=create_pages(pages, status_of=status_of, problem=problem))
    async with served(app) as url, httpx.AsyncClient(base_url=url) as client:
        dashboard = Dashboard(organization, services, clock, app, client, url, pages)
        if set_up:
            await dashboard.set_up()
        yield dashboard


def page_services(services: Services) -> PageServices:
    """What the composition root gives to the pages."""
    return PageServices(
        database=services.database,
        clock=services.clock,
        identity=services.identity,
        invoices=services.invoices,
        invoice_reviews=services.invoice_reviews,
        payees=services.payees,
        payee_changes=services.payee_changes,
        payments=services.payments,
        approvals=services.approvals,
        approval_links=ApprovalLinks(
            database=services.database, approvals=services.approvals, clock=services.clock
        ),
        approval_settings=services.approval_settings,
        delegations=services.delegations,
        step_up=services.step_up,
        codes=services.codes,
        policies=services.policies,
        cash=services.cash,
        audit=services.audit,
        reports=ReportService(database=services.database, clock=services.clock),
        served_over_tls=services.settings.served_over_tls,
    )
