"""Owns sign-in, refresh, sign-out and the caller's own profile."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.auth import Provided, Public, SignedIn, credential
from api.middleware import client_address
from api.token import Tokens, tokens_of
from api.users import UserView, user_view
from api.views import Body
from treasurer.identity.browser import SESSION_COOKIE
from treasurer.kernel.organization import Principal

router = APIRouter(prefix="/api/v1/auth", tags=["identity"])
Caller = Annotated[Principal, Depends(SignedIn())]


class Login(Body):
    email: Annotated[str, Field(max_length=254)]
    password: Annotated[str, Field(max_length=128)]


class Refresh(Body):
    refresh_token: str


class Profile(BaseModel):
    """The signed-in user and what the roles allow."""

    user: UserView
    organization_id: UUID
    permissions: list[str]


@router.post("/login", dependencies=[Depends(Public())])
async def login(body: Login, request: Request, services: Provided) -> Tokens:
    """As POST /token, with a JSON body."""
    session = await services.identity.sign_in(
        body.email, body.password, address=client_address(request.scope)
    )
    return tokens_of(session, services.clock())


@router.post("/refresh", dependencies=[Depends(Public())])
async def refresh(body: Refresh, services: Provided) -> Tokens:
    """New tokens. The refresh token is spent by this; sent twice, it ends the session."""
    session = await services.identity.refresh(body.refresh_token)
    return tokens_of(session, services.clock())


@router.post("/logout", status_code=204)
async def logout(request: Request, caller: Caller, services: Provided) -> Response:
    """End the session whose token or cookie carries this request."""
    token, use = credential(request)
    await services.identity.sign_out(token, use)
    response = Response(status_code=204)
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


@router.get("/profile")
async def profile(caller: Caller, services: Provided) -> Profile:
    """Who the caller is."""
    user = await services.identity.profile(caller)
    return Profile(
        user=user_view(user),
        organization_id=user.organization_id,
        permissions=sorted(permission.value for permission in caller.permissions),
    )
