"""Owns the routes of incidents: what is open, and how people answer."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.auth import Provided, requires
from api.views import Before, Body, Instant, Most, Page, page_of
from treasurer.incidents.model import Incident, IncidentId, IncidentKind
from treasurer.incidents.service import MOST_NOTE_CHARACTERS
from treasurer.kernel.organization import Permission, Principal

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]
Answerer = Annotated[Principal, Depends(requires(Permission.PAYMENTS_FREEZE))]


class Note(Body):
    """What the person found."""

    note: Annotated[str, Field(min_length=1, max_length=MOST_NOTE_CHARACTERS)]


class IncidentView(BaseModel):
    """`subject_id` is a transfer or the organization; `note` is the last answer."""

    id: UUID
    kind: IncidentKind
    subject_id: UUID
    message: str
    opened_at: Instant
    acknowledged_by: UUID | None
    acknowledged_at: Instant | None
    closed_by: UUID | None
    closed_at: Instant | None
    note: str


@router.get("")
async def incidents(
    caller: Reader,
    services: Provided,
    state: Literal["open", "closed"] = "open",
    before: Before = None,
    most: Most = 50,
) -> Page[IncidentView]:
    """What is open, or what was closed, newest first."""
    found = await services.incidents.page(
        caller,
        open_=state == "open",
        before=None if before is None else IncidentId(before),
        most=most,
    )
    return page_of([_view(incident) for incident in found], most, found[-1].id if found else None)


@router.post("/{incident_id}/acknowledgement")
async def acknowledge(
    incident_id: UUID, body: Note, caller: Answerer, services: Provided
) -> IncidentView:
    """Say that you look after it. Asks for a person."""
    return _view(await services.incidents.acknowledge(caller, IncidentId(incident_id), body.note))


@router.post("/{incident_id}/closure")
async def close(
    incident_id: UUID, body: Note, caller: Answerer, services: Provided
) -> IncidentView:
    """Say what it was and that it is over. Asks for a person."""
    return _view(await services.incidents.close(caller, IncidentId(incident_id), body.note))


def _view(incident: Incident) -> IncidentView:
    return IncidentView.model_validate(incident, from_attributes=True)
