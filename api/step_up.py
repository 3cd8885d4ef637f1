"""Owns the second proof's routes and the enrolment of authenticators. Must never log a secret."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.auth import Provided, SignedIn
from api.middleware import client_address
from api.views import Body
from treasurer.kernel.organization import Principal

router = APIRouter(prefix="/api/v1/auth", tags=["identity"])
Caller = Annotated[Principal, Depends(SignedIn())]


class Proof(Body):
    """One of both: the password, or the authenticator's present code."""

    password: Annotated[str, Field(max_length=128, repr=False)] = ""
    code: Annotated[str, Field(max_length=12, repr=False)] = ""


class Code(Body):
    code: Annotated[str, Field(max_length=12, repr=False)]


class NewAuthenticator(BaseModel):
    """Shown once: `uri` as a QR code, or `secret` typed, into an authenticator app."""

    secret: str
    uri: str


@router.post("/step-up", status_code=204)
async def step_up(body: Proof, request: Request, caller: Caller, services: Provided) -> Response:
    """Prove again who holds this session. Approvals above the organization's threshold ask for it."""
    await services.step_up.prove(
        caller,
        address=client_address(request.scope),
        password=body.password,
        code=body.code,
    )
    return Response(status_code=204)


@router.post("/authenticator", status_code=201)
async def enrol(caller: Caller, services: Provided, response: Response) -> NewAuthenticator:
    """A new authenticator, replacing a former one; it counts after its first code. Step up before."""
    user = await services.identity.profile(caller)
    new = await services.codes.begin(caller, email=user.email)
    response.headers["Cache-Control"] = "no-store"
    return NewAuthenticator(secret=new.secret, uri=new.uri)


@router.post("/authenticator/confirmation", status_code=204)
async def confirm(body: Code, caller: Caller, services: Provided) -> Response:
    """Make the new authenticator count, by its present code."""
    await services.codes.confirm(caller, body.code)
    return Response(status_code=204)
