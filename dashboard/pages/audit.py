"""Owns the audit log's page. Looking and recomputing only: there is no way to change what stands."""

from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from dashboard.forms import CheckedForm
from dashboard.render import Rendered, Renderer
from dashboard.services import PageServices
from dashboard.session import Auditor, Provided, Visitor
from dashboard.timeline import summary, title
from treasurer.audit.service import Verification

router = APIRouter(prefix="/audit")
_MOST = 50


@router.api_route("", methods=["GET", "HEAD"])
async def audit(
    request: Request,
    visitor: Auditor,
    services: Provided,
    render: Rendered,
    before: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    aggregate_id: UUID | None = None,
) -> Response:
    """What happened, newest first, of everything or of one thing."""
    return await _show(request, visitor, services, render, before=before, aggregate_id=aggregate_id)


@router.post("/verification")
async def verify(
    request: Request, visitor: Auditor, services: Provided, render: Rendered, form: CheckedForm
) -> Response:
    """Recompute the chain from its first seal; a POST because it works, not because it changes."""
    verification = await services.audit.verify(visitor.principal.organization_id)
    return await _show(request, visitor, services, render, verification=verification)


async def _show(
    request: Request,
    visitor: Visitor,
    services: PageServices,
    render: Renderer,
    *,
    before: int | None = None,
    aggregate_id: UUID | None = None,
    verification: Verification | None = None,
) -> Response:
    events = await services.reports.trail(
        visitor.principal, before=before, aggregate_id=aggregate_id, most=_MOST
    )
    return await render.page(
        request,
        visitor,
        "audit.html.j2",
        rows=[
            (
                event,
                title(event),
                summary(event.payload),
                orjson.dumps(event.payload, option=orjson.OPT_INDENT_2).decode(),
            )
            for event in events
        ],
        chain=await services.reports.chain(visitor.principal),
        verification=verification,
        aggregate_id=aggregate_id,
        next=events[-1].cursor if len(events) == _MOST else None,
    )
