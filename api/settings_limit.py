"""Owns reading and changing the approval limit. It is read from the active policy, never kept beside it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from api.auth import Provided, requires
from api.services import Services
from api.views import Amount, Body, amount_of
from policy.approval_limit import free_up_to
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import parse_decimal, to_minor
from treasurer.kernel.organization import Permission, Principal
from treasurer.policies.model import PolicySetState

router = APIRouter(prefix="/api/settings/limit", tags=["policy"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]
Writer = Annotated[Principal, Depends(requires(Permission.POLICY_WRITE))]


class ApprovalLimitView(BaseModel):
    """Up to `limit`, inclusively, payments go without asking; null for any amount.

    Other rules of the policy may still ask or deny below it. `draft_id` is the set that waits for
    sign-off, with `draft_limit`. `cannot_have` says what so few people cannot have.
    """

    limit: Amount | None
    policy_digest: str
    draft_id: UUID | None = None
    draft_limit: Amount | None = None
    cannot_have: list[str] = []


class NewLimit(Body):
    """In the organization's reporting currency."""

    amount: str
    currency: str


@router.get("")
async def limit(caller: Reader, services: Provided) -> ApprovalLimitView:
    """The amount up to which nobody is asked."""
    return await _view(caller, services)


@router.post(
    "", responses={202: {"description": "A draft with the raised limit waits for sign-off"}}
)
async def change_limit(
    body: NewLimit, caller: Writer, services: Provided, response: Response
) -> ApprovalLimitView:
    """Lowered by the CFO alone, the limit is in force at once; raised, it is a draft to be signed off."""
    async with services.database.unit(caller.organization_id) as connection:
        reporting = (await services.policies.active(connection, caller.organization_id)).reporting
    if body.currency != reporting.symbol:
        raise InvalidInput("LIMIT_CURRENCY", f"limits are in {reporting.symbol}", field="currency")
    limit_minor = to_minor(parse_decimal(body.amount), reporting)
    stored = await services.policy_life.change_limit(caller, limit_minor)
    view = await _view(caller, services)
    if stored.state is PolicySetState.DRAFT:
        response.status_code = 202
        view.draft_id, view.draft_limit = stored.id, amount_of(limit_minor, reporting)
    return view


async def _view(caller: Principal, services: Services) -> ApprovalLimitView:
    async with services.database.unit(caller.organization_id) as connection:
        policy_set = await services.policies.active(connection, caller.organization_id)
    limit_minor = free_up_to(policy_set)
    return ApprovalLimitView(
        limit=None if limit_minor is None else amount_of(limit_minor, policy_set.reporting),
        policy_digest=policy_set.digest.hex(),
        cannot_have=await services.policy_life.cannot_have(caller),
    )
