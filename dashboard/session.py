"""Owns who a page speaks to: the session cookie and what each route asks of its visitor.

Must never take an identity from a form, nor let a page be served that declares nothing.
"""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

import structlog
from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from dashboard.services import PageServices
from treasurer.identity.browser import SESSION_COOKIE
from treasurer.identity.errors import NotAuthenticated
from treasurer.identity.model import BrowserSession
from treasurer.identity.tokens import TokenUse
from treasurer.kernel.clock import Clock
from treasurer.kernel.organization import Permission, Principal

HOME = "/"


async def services_of(request: Request) -> PageServices:
    """What the pages were made with."""
    services: PageServices = request.app.state.services
    return services


Provided = Annotated[PageServices, Depends(services_of)]


@dataclass(frozen=True, slots=True)
class Visitor:
    """The person behind a request. `cookie` is the session's secret and goes into no page."""

    principal: Principal
    cookie: str

    def may(self, permission: Permission) -> bool:
        """Whether one of the visitor's roles carries `permission`."""
        return permission in self.principal.permissions


class Access:
    """What a route asks of its visitor. Every route has exactly one: see `dashboard.app`."""

    label: str


class Public(Access):
    """Anybody: signing in itself."""

    label = "public"

    async def __call__(self) -> None:
        return


class SignedIn(Access):
    """Any user of any organization, for what concerns that user alone."""

    label = "signed-in"

    async def __call__(self, request: Request, services: Provided) -> Visitor:
        visitor = await visitor_of(request, services)
        if visitor is None:
            raise NotAuthenticated("NOT_AUTHENTICATED", "sign in first")
        return visitor


class Requires(SignedIn):
    """A user whose roles carry a permission."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission
        self.label = permission.value

    async def __call__(self, request: Request, services: Provided) -> Visitor:
        visitor = await super().__call__(request, services)
        visitor.principal.require(self.permission)
        return visitor


def requires(permission: Permission) -> SignedIn:
    """The dependency of a route that asks for `permission`."""
    return Requires(permission)


Reader = Annotated[Visitor, Depends(requires(Permission.TREASURY_READ))]
Submitter = Annotated[Visitor, Depends(requires(Permission.INVOICES_SUBMIT))]
Voter = Annotated[Visitor, Depends(requires(Permission.APPROVALS_VOTE))]
PayeeWriter = Annotated[Visitor, Depends(requires(Permission.PAYEES_WRITE))]
Person = Annotated[Visitor, Depends(SignedIn())]
Auditor = Annotated[Visitor, Depends(requires(Permission.AUDIT_READ))]


async def visitor_of(request: Request, services: PageServices) -> Visitor | None:
    """Who the cookie speaks for; None without one. Raises NotAuthenticated for one that ended."""
    cookie = request.cookies.get(SESSION_COOKIE)
    if not cookie:
        return None
    principal = await services.identity.principal_from_token(cookie, TokenUse.BROWSER)
    structlog.contextvars.bind_contextvars(
        organization_id=str(principal.organization_id), user_id=str(principal.user_id)
    )
    return Visitor(principal, cookie)


def begin(session: BrowserSession, to: str, *, clock: Clock, served_over_tls: bool) -> Response:
    """Go on to the page `to` as the session's user."""
    response = RedirectResponse(to, status_code=303)
    response.set_cookie(
        SESSION_COOKIE,
        session.cookie,
        max_age=int((session.expires_at - clock()).total_seconds()),
        path="/",
        secure=served_over_tls,
        httponly=True,
        samesite="lax",
    )
    return response


def end(to: str) -> Response:
    """Go on to the page `to` as nobody."""
    response = RedirectResponse(to, status_code=303)
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


def local_path(text: str) -> str:
    """`text` if it is a path of ours, else the first page: a link must not lead to another site.

    Browsers read a backslash as a slash, so `/\\evil` would be another host as `//evil` is.
    """
    if text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable():
        return text
    return HOME


def sign_in_path(request: Request) -> str:
    """The sign-in page that comes back to what was asked."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return "/login" if asked == HOME else f"/login?next={quote(asked, safe='/')}"
