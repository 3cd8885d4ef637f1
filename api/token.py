"""Owns POST /token, the OAuth2 password flow (RFC 6749, section 4.3), for programs and scripts.

Must never be reachable without the sign-in throttle.
"""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from pydantic import BaseModel

from api.auth import Provided, Public
from api.middleware import client_address
from treasurer.identity.model import Session
from treasurer.kernel.errors import InvalidInput

router = APIRouter(tags=["identity"], dependencies=[Depends(Public())])


class Tokens(BaseModel):
    """RFC 6749, section 5.1. `expires_in` is the access token's life in seconds."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the scheme's name
    expires_in: int
    refresh_token: str


def tokens_of(session: Session, now: datetime) -> Tokens:
    """The session as OAuth2 clients read it."""
    return Tokens(
        access_token=session.access_token,
        expires_in=int((session.access_expires_at - now).total_seconds()),
        refresh_token=session.refresh_token,
    )


@router.post("/token")
async def token(
    request: Request,
    services: Provided,
    username: Annotated[str, Form(max_length=254)],
    password: Annotated[str, Form(max_length=128)],
    grant_type: Annotated[str, Form()] = "password",
) -> Tokens:
    """An access and a refresh token for an e-mail address and a password."""
    if grant_type != "password":
        raise InvalidInput(
            "GRANT_TYPE", "send grant_type=password; refresh by POST /api/v1/auth/refresh"
        )
    session = await services.identity.sign_in(
        username, password, address=client_address(request.scope)
    )
    return tokens_of(session, services.clock())
