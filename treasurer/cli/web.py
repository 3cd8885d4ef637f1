"""Owns the composition of the web process: API routers over the core, pages beside them."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import problem, status_of
from api.main import create_app
from api.services import ApiSettings, Services
from treasurer.bootstrap import Core, open_core
from treasurer.cli.probes import probes
from treasurer.settings import Settings

if TYPE_CHECKING:
    from dashboard.services import PageServices


class Pages:
    """The dashboard, loaded by `load` or with its first request, whichever comes first.

    The API is ready without templates and forms, and programs ask for no page.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._guard = threading.Lock()
        self._app: ASGIApp | None = None

    def load(self) -> ASGIApp:
        """The application of the pages. Thread-safe."""
        with self._guard:
            if self._app is None:
                from dashboard.app import create_pages

                services = _page_services(self._core)
                self._app = create_pages(services, status_of=status_of, problem=problem)
            return self._app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if app is None:
            app = await asyncio.to_thread(self.load)
        await app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Web:
    """The application, and its pages, which whoever serves it may load once it is served."""

    app: FastAPI
    pages: Pages


def build_web(settings: Settings) -> Web:
    """The application with its services; connections are given back when it stops."""
    core = open_core(settings, pool_size=10)
    pages = Pages(core)
    app = create_app(_services(core), pages=pages)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[None]:
        async with inner(application):
            yield
        await core.close()

    app.router.lifespan_context = lifespan
    return Web(app, pages)


def _services(core: Core) -> Services:
    settings = core.settings
    token = settings.metrics_token
    return Services(
        settings=ApiSettings(
            served_over_tls=settings.url.startswith("https://"),
            metrics_token=token.get_secret_value() if token else None,
            requests_per_minute=settings.requests_per_minute,
        ),
        database=core.database,
        counters=core.counters,
        clock=core.clock,
        new_id=core.new_id,
        identity=core.identity,
        invoices=core.invoices,
        invoice_reviews=core.invoice_reviews,
        payees=core.payees,
        payee_changes=core.payee_changes,
        purchases=core.purchases,
        payments=core.payments,
        transfers=core.transfers,
        allowances=core.allowances,
        incidents=core.incidents,
        approvals=core.approvals,
        approval_settings=core.approval_settings,
        delegations=core.delegations,
        step_up=core.step_up,
        codes=core.codes,
        policies=core.policies,
        policy_life=core.policy_life,
        backtests=core.backtests,
        cash=core.cash,
        audit=core.audit,
        probes=probes(core),
    )


def _page_services(core: Core) -> "PageServices":
    from dashboard.services import PageServices

    return PageServices(
        database=core.database,
        clock=core.clock,
        identity=core.identity,
        invoices=core.invoices,
        invoice_reviews=core.invoice_reviews,
        payees=core.payees,
        payee_changes=core.payee_changes,
        payments=core.payments,
        approvals=core.approvals,
        approval_links=core.approval_links,
        approval_settings=core.approval_settings,
        delegations=core.delegations,
        step_up=core.step_up,
        codes=core.codes,
        policies=core.policies,
        cash=core.cash,
        audit=core.audit,
        reports=core.reports,
        served_over_tls=core.settings.url.startswith("https://"),
    )
