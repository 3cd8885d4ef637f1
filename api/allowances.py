"""Owns the routes of allowances: one person proposes what batches may move, another confirms."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.auth import Provided, requires
from api.views import Body, Instant
from treasurer.allowances.model import Allowance, AllowanceState
from treasurer.kernel.ids import AllowanceId
from treasurer.kernel.organization import Permission, Principal

router = APIRouter(prefix="/api/v1/allowances", tags=["allowances"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]
Decider = Annotated[Principal, Depends(requires(Permission.POLICY_WRITE))]


class NewAllowance(Body):
    """`amount_minor` base units of the token may be moved of `wallet`, in place of what may be now."""

    wallet: Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]
    asset: str
    amount_minor: Annotated[str, Field(pattern=r"^[0-9]{1,78}$")]


class AllowanceView(BaseModel):
    """`amount_minor` is in base units of the token at `token`; `result` says how it ended."""

    id: UUID
    state: AllowanceState
    wallet: str
    token: str
    spender: str
    amount_minor: str
    not_after: Instant
    proposed_by: UUID
    proposed_at: Instant
    confirmed_by: UUID | None
    result: str


@router.get("")
async def allowances(caller: Reader, services: Provided) -> list[AllowanceView]:
    """The newest hundred and what came of them."""
    return [_view(allowance) for allowance in await services.allowances.page(caller)]


@router.post("", status_code=201)
async def propose(body: NewAllowance, caller: Decider, services: Provided) -> AllowanceView:
    """Propose what the contract that pays batches may move; another person confirms. 0 takes it back."""
    return _view(
        await services.allowances.propose(
            caller,
            wallet=body.wallet,
            symbol=body.asset,
            amount_minor=int(body.amount_minor),
        )
    )


@router.post("/{allowance_id}/confirmation", status_code=202, response_class=Response)
async def confirm(allowance_id: UUID, caller: Decider, services: Provided) -> Response:
    """Agree as the second person. It is signed after this answer, if the signer's limits permit it."""
    await services.allowances.confirm(caller, AllowanceId(allowance_id))
    return Response(status_code=202)


@router.post("/{allowance_id}/rejection", status_code=204, response_class=Response)
async def reject(allowance_id: UUID, caller: Decider, services: Provided) -> Response:
    """Take a proposal back, or refuse it."""
    await services.allowances.reject(caller, AllowanceId(allowance_id))
    return Response(status_code=204)


def _view(allowance: Allowance) -> AllowanceView:
    order = allowance.order
    return AllowanceView(
        id=allowance.id,
        state=allowance.state,
        wallet=order.wallet,
        token=order.token,
        spender=order.spender,
        amount_minor=str(order.amount_minor),
        not_after=order.not_after,
        proposed_by=allowance.proposed_by,
        proposed_at=allowance.proposed_at,
        confirmed_by=allowance.confirmed_by,
        result=allowance.result,
    )
