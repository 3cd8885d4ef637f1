"""Owns the audit log's routes. Reading only: there is no way to change what was recorded."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from sqlalchemy.engine import RowMapping

from api.auth import Provided, requires
from api.views import Instant, Most, Page
from treasurer.audit import store
from treasurer.audit.reconciliation import store as reconciliations
from treasurer.kernel.errors import NotFound
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
    """`verified` when every seal up to `sequence` follows from the one before. `signed_sequence` is the
    last seal whose signature was verified; null where none is signed, or no key is pinned to verify with.
    """

    verified: bool
    sequence: int
    signed_sequence: int | None
    head_hash: str
    fault: FaultView | None


class ViolationView(BaseModel):
    """One place where a check does not hold; numbers are digits in base units, blocks or counts."""

    code: str
    about: dict[str, str]
    numbers: dict[str, str]


class CheckView(BaseModel):
    """`id` begins with its invariant. `failed` says why a check could not be made."""

    id: str
    says: str
    holds: bool
    failed: str | None
    count: int
    violations: list[ViolationView]


class InFlightView(BaseModel):
    """What explains a difference between a wallet's ledger and chain balance at the block."""

    wallet_id: UUID
    transfer_id: UUID
    asset: str
    amount_minor: str
    why: str


class ReconciliationView(BaseModel):
    """`clean`: every check was made and none found anything. `unchecked` is what none can see."""

    id: UUID
    started_at: Instant
    finished_at: Instant
    block_number: int
    clean: bool
    violations: int
    checks: list[CheckView]
    in_flight: list[InFlightView]
    unchecked: dict[str, str]


def event_view(row: RowMapping) -> EventView:
    return EventView(**{**row, "cursor": str(row["cursor"])})


@router.get("/events")
async def events(
    caller: Auditor,
    services: Provided,
    before: Annotated[
        int | None, Query(ge=0, lt=2**63, description="`next` of the page before")
    ] = None,
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
        signed_sequence=found.signed_sequence,
        head_hash=found.head_hash.hex(),
        fault=FaultView(sequence=found.fault.sequence, reason=found.fault.reason)
        if found.fault
        else None,
    )


@router.get("/reconciliation")
async def reconciliation(caller: Auditor, services: Provided) -> ReconciliationView:
    """The last time that books and chain were held against the money invariants, each night."""
    async with services.database.unit(caller.organization_id) as connection:
        found = await reconciliations.last(connection, caller.organization_id)
    if found is None:
        raise NotFound(
            "RECONCILIATION_NONE",
            "none was made yet: the worker makes one each night, `treasurer audit reconcile` now",
        )
    return ReconciliationView(id=found.id, **found.document)
