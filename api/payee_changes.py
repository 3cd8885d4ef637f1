"""Owns the routes of changes to payees' details: proposed by one person, confirmed by another."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from api.auth import Provided, requires
from api.payees import CallBack, cooling_off_s
from api.views import Body, Instant
from treasurer.kernel.ids import PayeeId
from treasurer.kernel.organization import Permission, Principal
from treasurer.payees.change import ChangeState, PayeeChange, PayeeChangeId

router = APIRouter(prefix="/api/v1/payees/{payee_id}/changes", tags=["payees"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]
Writer = Annotated[Principal, Depends(requires(Permission.PAYEES_WRITE))]


class NewChange(Body):
    """The details to change; null takes one away, a detail that is not named stays."""

    name: str | None = None
    vat_id: str | None = None
    iban: str | None = None
    email: str | None = None
    phone: str | None = None


class Confirmation(Body):
    call_back: CallBack


class ChangeView(BaseModel):
    """`former` stands until the change is confirmed; then `details`, payable after the cooling-off."""

    id: UUID
    payee_id: UUID
    state: ChangeState
    details: dict[str, str | None]
    former: dict[str, str | None]
    proposed_by: UUID
    proposed_at: Instant
    decided_by: UUID | None
    decided_at: Instant | None
    call_back: dict[str, str | bool] | None
    cooling_off_until: Instant | None


@router.get("")
async def changes(payee_id: UUID, caller: Reader, services: Provided) -> list[ChangeView]:
    """A payee's changes, newest first."""
    return [_view(each) for each in await services.payee_changes.of(caller, PayeeId(payee_id))]


@router.post("", status_code=201)
async def propose(
    payee_id: UUID, body: NewChange, caller: Writer, services: Provided
) -> ChangeView:
    """Propose other details. The former ones stand until another person confirms."""
    wanted = body.model_dump(exclude_unset=True)
    return _view(await services.payee_changes.propose(caller, PayeeId(payee_id), wanted))


@router.post("/{change_id}/confirmation")
async def confirm(
    payee_id: UUID, change_id: UUID, body: Confirmation, caller: Writer, services: Provided
) -> ChangeView:
    """Let the details stand after a call to the payee; the policy's cooling-off begins now."""
    change = await services.payee_changes.confirm(
        caller,
        PayeeId(payee_id),
        PayeeChangeId(change_id),
        body.call_back.note_of(),
        cooling_off_s=await cooling_off_s(services, caller),
    )
    return _view(change)


@router.post("/{change_id}/refusal")
async def refuse(payee_id: UUID, change_id: UUID, caller: Writer, services: Provided) -> ChangeView:
    """Let a proposal fall."""
    change = await services.payee_changes.refuse(
        caller, PayeeId(payee_id), PayeeChangeId(change_id)
    )
    return _view(change)


def _view(change: PayeeChange) -> ChangeView:
    return ChangeView(
        id=change.id,
        payee_id=change.payee_id,
        state=change.state,
        details=dict(change.details),
        former=dict(change.former),
        proposed_by=change.proposed_by,
        proposed_at=change.proposed_at,
        decided_by=change.decided_by,
        decided_at=change.decided_at,
        call_back=dict(change.call_back) if change.call_back else None,
        cooling_off_until=change.cooling_off_until,
    )
