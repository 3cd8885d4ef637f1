"""Owns the approvals' pages: what waits, one request in full, and the vote on exactly what was shown."""

from dataclasses import dataclass
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
from treasurer.identity.errors import NotAuthenticated, TooManyAttempts
from treasurer.kernel.errors import Conflict, InvalidInput, NotPermitted, TreasurerError
from treasurer.kernel.ids import ApprovalRequestId, UserId

router = APIRouter(prefix="/approvals")
_LOOK = ["GET", "HEAD"]
_STATUS = {NotAuthenticated: 403, NotPermitted: 403, Conflict: 409, TooManyAttempts: 429}


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
    ballot = ballot_of(form)
    try:
        await prove(request, visitor, services, form)
        await services.approvals.vote(
            visitor.principal,
            id_,
            ballot.choice,
            form.text("reason"),
            ballot.order_digest,
            for_user_id=ballot.for_user_id,
        )
    except MENDABLE as error:
        if not mendable(error):
            raise
        asked = await services.approvals.get(visitor.principal, id_)
        return await show(
            request,
            visitor,
            services,
            render,
            asked,
            action=request.url.path,
            fault=error,
            form=form,
        )
    return RedirectResponse(request.url.path, status_code=303)


@router.post("/{approval_id}/withdrawal")
async def withdraw(
    approval_id: UUID, visitor: Voter, services: Provided, form: CheckedForm
) -> Response:
    """Take one's approval back, and go on to the request that goes on."""
    asked = await services.approvals.withdraw(visitor.principal, ApprovalRequestId(approval_id))
    return RedirectResponse(f"/approvals/{asked.id}", status_code=303)


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a form chose, the bytes that its sender saw, and whom a delegate votes for."""

    choice: Choice
    order_digest: bytes
    for_user_id: UserId | None


def ballot_of(form: PostedForm) -> Ballot:
    """Raises InvalidInput for a form that is not ours."""
    try:
        lender = form.text("for_user_id")
        return Ballot(
            Choice(form.text("choice")),
            bytes.fromhex(form.text("order_digest")),
            UserId(UUID(lender)) if lender else None,
        )
    except ValueError as error:
        raise InvalidInput("VOTE_FORM", "open the request again and choose one button") from error


MENDABLE = (Conflict, InvalidInput, NotAuthenticated, NotPermitted, TooManyAttempts)


def mendable(error: TreasurerError) -> bool:
    """Whether the visitor can put it right in the same form: a reason, a password, a code."""
    if isinstance(error, Conflict | NotAuthenticated | NotPermitted):
        return error.code in ("CREDENTIALS_REFUSED", "STEP_UP_REQUIRED", "TOTP_LOCKED")
    return True


async def prove(
    request: Request, visitor: Visitor, services: PageServices, form: PostedForm
) -> None:
    """Take the password or code that came with the form. Raises as `StepUp.prove` does."""
    password, code = form.text("password"), form.text("code")
    if password or code:
        address = request.client.host if request.client else "local"
        await services.step_up.prove(
            visitor.principal, address=address, password=password, code=code
        )


async def show(
    request: Request,
    visitor: Visitor,
    services: PageServices,
    render: Renderer,
    asked: ApprovalRequest,
    *,
    action: str,
    fault: TreasurerError | None = None,
    form: PostedForm | None = None,
) -> Response:
    """The page of one request; its form posts to `action`, and keeps the reason of one with a fault."""
    case = await gather(services, visitor.principal, asked, services.clock())
    return await render.page(
        request,
        visitor,
        "approvals/detail.html.j2",
        status=_STATUS.get(type(fault), 422) if fault else 200,
        case=case,
        action=action,
        fault=fault.message if fault else None,
        reason=form.text("reason") if form else "",
    )
