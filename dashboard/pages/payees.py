"""Owns the payees' pages. Looking only: addresses are entered and verified through the API."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from dashboard.render import Rendered
from dashboard.session import Provided, Reader
from treasurer.kernel.ids import PayeeId

router = APIRouter(prefix="/payees")
_LOOK = ["GET", "HEAD"]
_MOST = 50


@router.api_route("", methods=_LOOK)
async def payees(
    request: Request,
    visitor: Reader,
    services: Provided,
    render: Rendered,
    before: UUID | None = None,
) -> Response:
    """Newest first."""
    found = await services.payees.page(
        visitor.principal, before=PayeeId(before) if before else None, most=_MOST
    )
    return await render.page(
        request,
        visitor,
        "payees/list.html.j2",
        payees=found,
        next=found[-1].id if len(found) == _MOST else None,
    )


@router.api_route("/{payee_id}", methods=_LOOK)
async def payee(
    payee_id: UUID, request: Request, visitor: Reader, services: Provided, render: Rendered
) -> Response:
    """One payee with every address it ever had."""
    found = await services.payees.get(visitor.principal, PayeeId(payee_id))
    people = await services.reports.people(
        visitor.principal,
        [
            found.created_by,
            *(user for entry in found.addresses for user in (entry.changed_by, entry.verified_by)),
        ],
    )
    return await render.page(request, visitor, "payees/detail.html.j2", payee=found, people=people)
