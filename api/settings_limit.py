"""Owns reading the approval limit. It is read from the active policy, never kept beside it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from api.auth import Provided, requires
from api.views import Amount, amount_of
from treasurer.kernel.organization import Permission, Principal
from treasurer.policies.model import approval_limit

router = APIRouter(tags=["policy"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]


class ApprovalLimitView(BaseModel):
    """Up to `limit`, inclusively, payments go without asking; null for any amount.

    Other rules of the policy may still ask or deny below it.
    """

    limit: Amount | None
    policy_digest: str


@router.get("/api/settings/limit")
async def limit(caller: Reader, services: Provided) -> ApprovalLimitView:
    """The amount up to which nobody is asked."""
    async with services.database.unit(caller.organization_id) as connection:
        policy_set = await services.policies.active(connection, caller.organization_id)
    found = approval_limit(policy_set)
    return ApprovalLimitView(
        limit=None
        if found.amount_minor is None
        else amount_of(found.amount_minor, found.reporting),
        policy_digest=policy_set.digest.hex(),
    )
