"""Owns the composition of the API: middleware, errors, routers. Must never build a service.

Importing it stays light: no model, agent or chain library is reached from here.
"""

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api import (
    allowances,
    approvals,
    audit,
    dashboard,
    delegations,
    errors,
    freeze,
    health,
    incidents,
    invoices,
    metrics,
    openapi,
    payee_changes,
    payees,
    payments,
    policy,
    process_invoice,
    purchases,
    session,
    settings_limit,
    step_up,
    token,
    transactions,
    transfers,
    users,
)
from api.auth import declare
from api.middleware import BodyLimit, RateLimit, RequestContext
from api.services import Services

# Paths are tried in this order, so the busiest come first.
ROUTERS: tuple[APIRouter, ...] = (
    invoices.router,
    health.router,
    metrics.router,
    token.router,
    session.router,
    step_up.router,
    users.router,
    process_invoice.router,
    payments.router,
    transactions.router,
    transfers.router,
    allowances.router,
    incidents.router,
    approvals.router,
    delegations.router,
    payees.router,
    payee_changes.router,
    purchases.router,
    policy.router,
    settings_limit.router,
    freeze.router,
    dashboard.router,
    audit.router,
)
_OWN = ("/api/", "/health/", "/users/")


def create_app(services: Services, *, pages: ASGIApp | None = None) -> FastAPI:
    """The application. `pages` answers every path that is not ours: the dashboard."""
    settings = services.settings
    app = FastAPI(
        title="Autonomous Treasurer",
        description="Pays supplier invoices in stablecoins under a policy. Errors are RFC 9457 "
        "problem details with a stable `code`. `x-permission` names what an operation asks for.",
        version="1",
        docs_url=None,  # its scripts come from another site, which our policy forbids
        redoc_url=None,
        middleware=[
            Middleware(
                RequestContext,
                new_id=services.new_id,
                served_over_tls=settings.served_over_tls,
            ),
            Middleware(
                RateLimit, counters=services.counters, per_minute=settings.requests_per_minute
            ),
            Middleware(BodyLimit),
        ],
    )
    app.state.services = services
    errors.install(app)
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                declare(route)
        app.include_router(router)
    app.router.routes.insert(0, invoices.SubmitDoor(invoices.router.routes))
    openapi.install(app)
    if pages is not None:
        app.router.default = _beside(app.router.default, pages)
    return app


def _beside(not_found: ASGIApp, pages: ASGIApp) -> ASGIApp:
    """Unknown paths below ours stay problems; all others are pages."""

    async def default(scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] != "http" or scope["path"].startswith(_OWN)
        await (not_found if ours else pages)(scope, receive, send)

    return default
