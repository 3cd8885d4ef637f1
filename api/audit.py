"""Owns the audit log's routes. Reading only: there is no way to change what was recorded."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from sqlalchemy.engine import RowMapping

from api.auth import Provided, requires
from api.views import Instant, Most, Page
from treasurer.audit import store
from treasurer.kernel.organization import Permission, Principal

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])
Auditor = Annotated[Principal, Depends(requires(Permission.AUDIT_READ))]


class EventView(BaseModel):
    """One recorded fact. `version` counts without gaps within the aggregate."""

    cursor: str
    aggregate: str
    aggregate_id: UUID
    version: int
    kind: str
    actor_id: UUID | None
    payload: dict[str, Any]
    occurred_at: Instant


class FaultView(BaseModel):
    sequence: int
    reason: str


class VerificationView(BaseModel):
    """`verified` when every seal up to `sequence` follows from the one before."""

    verified: bool
    sequence: int
    head_hash: str
    fault: FaultView | None


def event_view(row: RowMapping) -> EventView:
    return EventView(**{**row, "cursor": str(row["cursor"])})


@router.get("/events")
async def events(
    caller: Auditor,
    services: Provided,
    before: Annotated[int | None, Query(description="`next` of the page before")] = None,
    aggregate_id: UUID | None = None,
    most: Most = 50,
) -> Page[EventView]:
    """What happened, newest first, of everything or of one aggregate."""
    async with services.database.unit(caller.organization_id) as connection:
        found = await store.event_page(
            connection, caller.organization_id, before=before, aggregate_id=aggregate_id, most=most
        )
    views = [event_view(row) for row in found]
    return Page(items=views, next=views[-1].cursor if len(views) == most else None)


@router.get("/verification")
async def verification(caller: Auditor, services: Provided) -> VerificationView:
    """Recompute the hash chain from its first seal."""
    found = await services.audit.verify(caller.organization_id)
    return VerificationView(
        verified=found.fault is None,
        sequence=found.events,
        head_hash=found.head_hash.hex(),
        fault=FaultView(sequence=found.fault.sequence, reason=found.fault.reason)
        if found.fault
        else None,
    )
