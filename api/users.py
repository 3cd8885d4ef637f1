"""Owns the users of the caller's organization."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from api.auth import Provided, requires
from api.views import Body, Instant
from treasurer.identity.model import User
from treasurer.kernel.organization import Permission, Principal, PrincipalKind, Role

router = APIRouter(tags=["identity"])
Administrator = Annotated[Principal, Depends(requires(Permission.ADMIN_ALL))]


class NewUser(Body):
    """Without a password the user signs in by login links."""

    email: str
    name: str
    roles: list[Role]
    password: str | None = None
    kind: PrincipalKind = PrincipalKind.HUMAN


class UserView(BaseModel):
    id: UUID
    email: str
    name: str
    kind: PrincipalKind
    state: str
    roles: list[Role]
    created_at: Instant


def user_view(user: User) -> UserView:
    return UserView(
        id=user.id,
        email=user.email,
        name=user.name,
        kind=user.kind,
        state=user.state,
        roles=sorted(user.roles),
        created_at=user.created_at,
    )


@router.post("/users/", status_code=201)
async def create_user(body: NewUser, caller: Administrator, services: Provided) -> UserView:
    """Add a person, an agent or a program to the organization."""
    user = await services.identity.create_user(
        caller,
        email=body.email,
        name=body.name,
        roles=frozenset(body.roles),
        password=body.password,
        kind=body.kind,
    )
    return user_view(user)
