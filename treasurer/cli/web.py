"""Owns the composition of the web process: API routers over the core, pages beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.errors import problem, status_of
from api.main import create_app
from api.services import ApiSettings, Services
from dashboard.app import create_pages
from dashboard.services import PageServices
from treasurer.bootstrap import Core, open_core
from treasurer.cli.probes import probes
from treasurer.settings import Settings


def build_app(settings: Settings) -> FastAPI:
    """The application with its services; connections are given back when it stops."""
    core = open_core(settings, pool_size=10)
    pages = create_pages(_page_services(core), status_of=status_of, problem=problem)
    app = create_app(_services(core), pages=pages)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[None]:
        async with inner(application):
            yield
        await core.close()

    app.router.lifespan_context = lifespan
    return app


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


def _page_services(core: Core) -> PageServices:
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
