"""Owns the approvals' pages: what waits, one request in full, and the vote on exactly what was shown."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from dashboard.approval_case import gather
from dashboard.forms import CheckedForm, PostedForm
from dashboard.render import Rendered, Renderer
from dashboard.services import PageServices
from dashboard.session import Provided, Reader, Visitor, Voter
from policy.quorum import Choice
from treasurer.approvals.model import ApprovalRequest
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import ApprovalRequestId

router = APIRouter(prefix="/approvals")
_LOOK = ["GET", "HEAD"]


@router.api_route("", methods=_LOOK)
async def approvals(
    request: Request, visitor: Reader, services: Provided, render: Rendered
) -> Response:
    """What waits, the most urgent first."""
    waiting = await services.reports.waiting(visitor.principal)
    return await render.page(request, visitor, "approvals/list.html.j2", waiting=waiting)


@router.api_route("/{approval_id}", methods=_LOOK)
async def approval(
    approval_id: UUID, request: Request, visitor: Reader, services: Provided, render: Rendered
) -> Response:
    """One request, open or closed."""
    asked = await services.approvals.get(visitor.principal, ApprovalRequestId(approval_id))
    return await show(request, visitor, services, render, asked, action=request.url.path)


@router.post("/{approval_id}")
async def vote(
    approval_id: UUID,
    request: Request,
    visitor: Voter,
    services: Provided,
    render: Rendered,
    form: CheckedForm,
) -> Response:
    """Approve or reject what the form's digest names; a fault in the reason shows the page again."""
    id_ = ApprovalRequestId(approval_id)
    choice, digest = ballot(form)
    try:
        await services.approvals.vote(visitor.principal, id_, choice, form.text("reason"), digest)
    except InvalidInput as error:
        asked = await services.approvals.get(visitor.principal, id_)
        return await show(
            request, visitor, services, render, asked, action=request.url.path, fault=error.message
        )
    return RedirectResponse(request.url.path, status_code=303)


def ballot(form: PostedForm) -> tuple[Choice, bytes]:
    """The choice and the digest of what the voter saw. Raises InvalidInput."""
    try:
        return Choice(form.text("choice")), bytes.fromhex(form.text("order_digest"))
    except ValueError as error:
        raise InvalidInput("VOTE_FORM", "open the request again and choose one button") from error


async def show(
    request: Request,
    visitor: Visitor,
    services: PageServices,
    render: Renderer,
    asked: ApprovalRequest,
    *,
    action: str,
    fault: str | None = None,
) -> Response:
    """The page of one request; its form posts to `action`."""
    case = await gather(services, visitor.principal, asked, services.clock())
    return await render.page(
        request,
        visitor,
        "approvals/detail.html.j2",
        status=422 if fault else 200,
        case=case,
        action=action,
        fault=fault,
    )
