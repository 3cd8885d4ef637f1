"""Owns the links in approval mails. Must never act on a look: scanners and previews fetch links.

GET and HEAD show. The vote is a POST by the approver whom the link was sent to, signed in. A link that
is used up leads its own approver to the request.
"""

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from dashboard.forms import CheckedForm, PostedForm
from dashboard.pages.approvals import MENDABLE, Ballot, ballot_of, mendable, prove, show
from dashboard.render import Rendered, Renderer
from dashboard.services import PageServices
from dashboard.session import Provided, Public, Visitor, Voter, sign_in_path, visitor_of
from treasurer.approvals.model import require_same_order
from treasurer.identity.errors import NotAuthenticated
from treasurer.kernel.errors import Conflict

router = APIRouter(prefix="/approve")


@router.api_route("/{token}", methods=["GET", "HEAD"], dependencies=[Depends(Public())])
async def look(token: str, request: Request, services: Provided, render: Rendered) -> Response:
    """The request for whom it was sent to; for anybody else, only that one waits."""
    try:
        visitor = await visitor_of(request, services)
    except NotAuthenticated:
        visitor = None
    try:
        link = await services.approval_links.peek(token)
    except Conflict:
        own = visitor and await services.approval_links.request_of(visitor.principal, token)
        if not own:
            raise
        return RedirectResponse(f"/approvals/{own}", status_code=303)
    if visitor is None or visitor.principal.user_id != link.user_id:
        return render.bare(
            "approvals/link.html.j2",
            expires_at=link.request.expires_at,
            now=services.clock(),
            sign_in=sign_in_path(request),
            someone_else=visitor is not None,
        )
    return await show(request, visitor, services, render, link.request, action=request.url.path)


@router.post("/{token}")
async def vote(
    token: str,
    request: Request,
    visitor: Voter,
    services: Provided,
    render: Rendered,
    form: CheckedForm,
) -> Response:
    """Vote by the link and use it up."""
    ballot = ballot_of(form)
    try:
        return await _vote(token, ballot, request, visitor, services, render, form)
    except Conflict as error:
        own = await services.approval_links.request_of(visitor.principal, token)
        if error.code != "LINK_USED" or own is None:
            raise
        # The button was pressed twice, or gone back to: the same vote is there already, and for
        # another one the approver is told so.
        await services.approvals.vote(
            visitor.principal,
            own,
            ballot.choice,
            form.text("reason"),
            ballot.order_digest,
            for_user_id=ballot.for_user_id,
        )
        return RedirectResponse(f"/approvals/{own}", status_code=303)


async def _vote(
    token: str,
    ballot: Ballot,
    request: Request,
    visitor: Visitor,
    services: PageServices,
    render: Renderer,
    form: PostedForm,
) -> Response:
    link = await services.approval_links.peek(token)
    require_same_order(link.request, ballot.order_digest)
    try:
        await prove(request, visitor, services, form)
        voted = await services.approval_links.redeem(
            visitor.principal,
            token,
            ballot.choice,
            form.text("reason"),
            for_user_id=ballot.for_user_id,
        )
    except MENDABLE as error:
        if not mendable(error):
            raise
        return await show(
            request,
            visitor,
            services,
            render,
            link.request,
            action=request.url.path,
            fault=error,
            form=form,
        )
    return RedirectResponse(f"/approvals/{voted.id}", status_code=303)
