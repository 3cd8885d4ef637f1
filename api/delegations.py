"""Owns the delegations' routes: who may vote for whom, and until when. Only one's own are given."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel

from api.auth import Provided, requires
from api.views import Body, Instant
from treasurer.approvals.delegation_store import Delegation
from treasurer.kernel.ids import UserId
from treasurer.kernel.organization import Permission, Principal

router = APIRouter(prefix="/api/v1/delegations", tags=["approvals"])
Voter = Annotated[Principal, Depends(requires(Permission.APPROVALS_VOTE))]


class NewDelegation(Body):
    """From now unless `starts_at` is later; at most 90 days."""

    delegate_id: UUID
    ends_at: AwareDatetime
    starts_at: AwareDatetime | None = None


class DelegationView(BaseModel):
    """`delegate_id` may vote with the roles of `delegator_id` in that time."""

    id: UUID
    delegator_id: UUID
    delegate_id: UUID
    starts_at: Instant
    ends_at: Instant
    revoked_at: Instant | None


@router.get("")
async def delegations(caller: Voter, services: Provided) -> list[DelegationView]:
    """What the caller gave and was given and is not over, newest first."""
    return [_view(each) for each in await services.delegations.of(caller)]


@router.post("", status_code=201)
async def delegate(body: NewDelegation, caller: Voter, services: Provided) -> DelegationView:
    """Let another approver vote for the caller. It lends the caller's own roles, never lent ones."""
    starts_at: datetime | None = body.starts_at
    return _view(
        await services.delegations.delegate(
            caller, UserId(body.delegate_id), starts_at=starts_at, ends_at=body.ends_at
        )
    )


@router.post("/{delegation_id}/revocation")
async def revoke(delegation_id: UUID, caller: Voter, services: Provided) -> DelegationView:
    """End a delegation that the caller gave. Votes cast by it stand."""
    return _view(await services.delegations.revoke(caller, delegation_id))


def _view(delegation: Delegation) -> DelegationView:
    return DelegationView(
        id=delegation.id,
        delegator_id=delegation.delegator_id,
        delegate_id=delegation.delegate_id,
        starts_at=delegation.starts_at,
        ends_at=delegation.ends_at,
        revoked_at=delegation.revoked_at,
    )
