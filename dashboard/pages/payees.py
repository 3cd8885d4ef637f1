"""Owns the payees' pages. Looking only: what changes a payee is posted to `payee_changes`."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from dashboard.forms import PostedForm
from dashboard.render import Rendered, Renderer
from dashboard.services import PageServices
from dashboard.session import Provided, Reader, Visitor
from treasurer.kernel.ids import PayeeId
from treasurer.kernel.organization import Permission
from treasurer.payees.change import ChangeState

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
    """One payee with every address it ever had and every change of its details."""
    return await show(request, visitor, services, render, PayeeId(payee_id))


async def show(
    request: Request,
    visitor: Visitor,
    services: PageServices,
    render: Renderer,
    payee_id: PayeeId,
    *,
    fault: str | None = None,
    form: PostedForm | None = None,
) -> Response:
    """The page of one payee, with what was wrong in a form of it, and what was written into that."""
    found = await services.payees.get(visitor.principal, payee_id)
    changes = await services.payee_changes.of(visitor.principal, payee_id)
    people = await services.reports.people(
        visitor.principal,
        [
            found.created_by,
            *(user for entry in found.addresses for user in (entry.changed_by, entry.verified_by)),
            *(user for each in changes for user in (each.proposed_by, each.decided_by)),
        ],
    )
    return await render.page(
        request,
        visitor,
        "payees/detail.html.j2",
        status=422 if fault else 200,
        payee=found,
        changes=changes,
        open=next((each for each in changes if each.state is ChangeState.PROPOSED), None),
        people=people,
        may_write=visitor.may(Permission.PAYEES_WRITE),
        own=visitor.principal.user_id,
        fault=fault,
        written=form.text if form else lambda name: "",
    )
