"""Owns the composition of the pages. Must never serve a page that declares no permission.

`create_pages` makes an application of its own, which the API's serves for every path that is not its.
"""

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dashboard import errors
from dashboard.errors import Problem, StatusOf
from dashboard.forms import checked_form, own_form
from dashboard.pages import (
    approvals,
    audit,
    authenticator,
    delegations,
    invoices,
    links,
    overview,
    payee_changes,
    payees,
    payments,
    policy,
    session,
)
from dashboard.paper import Papers
from dashboard.render import STATIC, Renderer
from dashboard.services import PageServices
from dashboard.session import Access
from treasurer.identity.browser import SAFE_METHODS

ROUTERS: tuple[APIRouter, ...] = (
    session.router,
    overview.router,
    approvals.router,
    links.router,
    delegations.router,
    authenticator.router,
    invoices.router,
    payments.router,
    payees.router,
    payee_changes.router,
    policy.router,
    audit.router,
)


def create_pages(services: PageServices, *, status_of: StatusOf, problem: Problem) -> FastAPI:
    """The pages. `status_of` and `problem` are the API's, where the mapping of errors stands."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    renderer = Renderer(services)
    app.state.services = services
    app.state.renderer = renderer
    app.state.papers = Papers()
    errors.install(app, renderer, status_of=status_of, problem=problem)
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                require_declared(route)
        app.include_router(router)
    app.mount("/static", _Static(directory=STATIC))
    return app


def require_declared(route: APIRoute) -> None:
    """Raise TypeError unless the route declares one access, and checks a form where it changes."""
    calls = [dependency.call for dependency in route.dependant.dependencies]
    found = [call for call in calls if isinstance(call, Access)]
    if len(found) != 1:
        raise TypeError(f"{route.path} declares {len(found)} accesses; one belongs there")
    changes = not (route.methods or set()) <= SAFE_METHODS
    if changes and not {checked_form, own_form} & set(calls):
        raise TypeError(f"{route.path} changes something and checks no form")


class _Static(StaticFiles):
    """Our own files, under addresses that change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if scope["query_string"] and response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
