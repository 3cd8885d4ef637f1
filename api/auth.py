"""Owns who a request speaks for and what each route asks of them.

Must never take an identity from a body, nor change state by a cookie that another site's page sent.
"""

from typing import Annotated

import structlog
from fastapi import Depends, Request
from fastapi.routing import APIRoute

from api.services import Services
from treasurer.identity.browser import SAFE_METHODS, SESSION_COOKIE, is_same_origin
from treasurer.identity.errors import NotAuthenticated
from treasurer.identity.tokens import TokenUse
from treasurer.kernel.errors import NotPermitted
from treasurer.kernel.organization import Permission, Principal


async def services_of(request: Request) -> Services:
    """What the application was made with."""
    services: Services = request.app.state.services
    return services


Provided = Annotated[Services, Depends(services_of)]


class Access:
    """What a route asks of its caller. Every route has one: see `declare`."""

    label: str


class Public(Access):
    """Anybody may call: sign-in itself, liveness, the API's description."""

    label = "public"

    async def __call__(self) -> None:
        return


class SignedIn(Access):
    """Any user of any organization, for what concerns the caller alone."""

    label = "signed-in"

    async def __call__(self, request: Request) -> Principal:
        # Not as a dependency of its own: each one costs a request 20 µs.
        services = await services_of(request)
        token, use = credential(request)
        principal = await services.identity.principal_from_token(token, use)
        structlog.contextvars.bind_contextvars(
            organization_id=str(principal.organization_id), user_id=str(principal.user_id)
        )
        return principal


class Requires(SignedIn):
    """A user whose roles carry a permission."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission
        self.label = permission.value

    async def __call__(self, request: Request) -> Principal:
        principal = await super().__call__(request)
        principal.require(self.permission)
        return principal


def requires(permission: Permission) -> Access:
    """The dependency of a route that asks for `permission`."""
    return Requires(permission)


def credential(request: Request) -> tuple[str, TokenUse]:
    """The caller's token: the Authorization header, or else the session cookie.

    Raises NotAuthenticated without one, and NotPermitted CSRF_ORIGIN when an unsafe request is
    carried by the cookie and does not come from our own pages.
    """
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotAuthenticated("SCHEME_UNKNOWN", "send `Authorization: Bearer <access token>`")
        return token.strip(), TokenUse.ACCESS
    cookie = request.cookies.get(SESSION_COOKIE)
    if not cookie:
        raise NotAuthenticated(
            "NOT_AUTHENTICATED", "sign in first: POST /token, or the page /login in a browser"
        )
    if request.method not in SAFE_METHODS and not is_same_origin(
        request.headers.get("origin"), request.headers.get("host")
    ):
        raise NotPermitted(
            "CSRF_ORIGIN", "this request did not come from our own page; use an access token"
        )
    return cookie, TokenUse.BROWSER


def access_of(route: APIRoute) -> Access:
    """What the route asks of its caller. Raises TypeError unless it declares exactly one access."""
    calls: list[object] = [each.call for each in route.dependant.dependencies]
    found = [call for call in calls if isinstance(call, Access)]
    if len(found) != 1:
        raise TypeError(f"{route.path} declares {len(found)} accesses; one belongs there")
    return found[0]


def declare(route: APIRoute) -> None:
    """Write the route's access into its OpenAPI operation; refuse a route that has none."""
    access = access_of(route)
    operation: dict[str, object] = {"x-permission": access.label}
    if not isinstance(access, Public):
        operation["security"] = [{"bearer": []}, {"cookie": []}]
    route.openapi_extra = {**(route.openapi_extra or {}), **operation}
