"""Owns the routes of transfers: what is quarantined, and how two people resolve it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from api.auth import Provided, requires
from api.views import Body, Instant
from treasurer.kernel.ids import TransferId
from treasurer.kernel.organization import Permission, Principal
from treasurer.transfers.model import QuarantinedTransfer, Resolution, ResolutionOutcome

router = APIRouter(prefix="/api/v1/transfers", tags=["transfers"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]
Voter = Annotated[Principal, Depends(requires(Permission.APPROVALS_VOTE))]


class NewResolution(Body):
    """`reason` is what the proposer saw; `outcome` is done only if the chain bears it out."""

    outcome: ResolutionOutcome
    reason: str


class ResolutionView(BaseModel):
    id: UUID
    outcome: ResolutionOutcome
    reason: str
    proposed_by: UUID
    proposed_at: Instant
    confirmed_by: UUID | None


class QuarantinedView(BaseModel):
    id: UUID
    sender: str
    nonce: int | None
    reason: str
    payment_ids: list[UUID]
    created_at: Instant
    resolution: ResolutionView | None


@router.get("/quarantined")
async def quarantined(caller: Reader, services: Provided) -> list[QuarantinedView]:
    """Transfers that chain and books contradict: two people decide, and the chain has to agree."""
    return [_view(transfer) for transfer in await services.transfers.quarantined(caller)]


@router.post("/{transfer_id}/resolution", status_code=201)
async def propose_resolution(
    transfer_id: UUID, body: NewResolution, caller: Voter, services: Provided
) -> ResolutionView:
    """Say what should become of a quarantined transfer; another person has to confirm."""
    return _resolution(
        await services.transfers.propose(caller, TransferId(transfer_id), body.outcome, body.reason)
    )


@router.post("/{transfer_id}/resolution/confirmation", status_code=202)
async def confirm_resolution(
    transfer_id: UUID, caller: Voter, services: Provided
) -> ResolutionView:
    """Agree as the second person. The chain is asked after this answer."""
    return _resolution(await services.transfers.confirm(caller, TransferId(transfer_id)))


@router.post("/{transfer_id}/resolution/rejection", status_code=204, response_class=Response)
async def reject_resolution(transfer_id: UUID, caller: Voter, services: Provided) -> Response:
    """Take the open proposal back, or refuse it."""
    await services.transfers.reject(caller, TransferId(transfer_id))
    return Response(status_code=204)


def _view(transfer: QuarantinedTransfer) -> QuarantinedView:
    return QuarantinedView(
        id=transfer.id,
        sender=transfer.sender,
        nonce=transfer.nonce,
        reason=transfer.reason,
        payment_ids=list(transfer.payment_ids),
        created_at=transfer.created_at,
        resolution=_resolution(transfer.open) if transfer.open else None,
    )


def _resolution(resolution: Resolution) -> ResolutionView:
    return ResolutionView(
        id=resolution.id,
        outcome=resolution.outcome,
        reason=resolution.reason,
        proposed_by=resolution.proposed_by,
        proposed_at=resolution.proposed_at,
        confirmed_by=resolution.confirmed_by,
    )
