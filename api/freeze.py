"""Owns the routes that stop the organization's payments and let them go again.

Must never reach the signer: its own switch is turned by `treasurer freeze`, on the host.
"""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.auth import Provided, requires
from api.views import Body, Instant
from treasurer.identity import freeze as freezing
from treasurer.identity.freeze import MOST_REASON_CHARACTERS, FreezeState
from treasurer.kernel.organization import Permission, Principal

router = APIRouter(prefix="/api/v1", tags=["freeze"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]
Freezer = Annotated[Principal, Depends(requires(Permission.PAYMENTS_FREEZE))]
Administrator = Annotated[Principal, Depends(requires(Permission.ADMIN_ALL))]


class Reason(Body):
    reason: Annotated[str, Field(min_length=1, max_length=MOST_REASON_CHARACTERS)]


class FreezeView(BaseModel):
    """`since`, `by` and `reason` are null while nothing is frozen."""

    frozen: bool
    since: Instant | None
    by: str | None
    reason: str | None


@router.get("/freeze")
async def state(caller: Reader, services: Provided) -> FreezeView:
    """Whether payments are frozen, since when, by whom and why."""
    async with services.database.unit(caller.organization_id) as connection:
        return _view(await freezing.read_freeze(connection, caller.organization_id))


@router.post("/freeze")
async def freeze(body: Reason, caller: Freezer, services: Provided) -> FreezeView:
    """Stop at once: nothing new is reserved, signed or sent. What is out is confirmed and settled."""
    return _view(
        await freezing.freeze(
            services.database,
            caller,
            body.reason,
            now=services.clock(),
            new_id=services.new_id,
        )
    )


@router.post("/unfreeze")
async def unfreeze(body: Reason, caller: Administrator, services: Provided) -> FreezeView:
    """Let payments go again: those that waited go out at once. Asks for a person."""
    return _view(
        await freezing.unfreeze(
            services.database,
            caller,
            body.reason,
            now=services.clock(),
            new_id=services.new_id,
        )
    )


def _view(state: FreezeState) -> FreezeView:
    return FreezeView(frozen=state.frozen, since=state.since, by=state.by, reason=state.reason)
