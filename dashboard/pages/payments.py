"""Owns the payments' pages: the list, and one payment's whole story."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from dashboard.render import Rendered
from dashboard.session import Provided, Reader
from dashboard.timeline import steps
from policy.decision import decision_from_json
from treasurer.kernel.ids import PaymentId
from treasurer.kernel.order import parse_order
from treasurer.payments.model import LEGAL, PaymentState

router = APIRouter(prefix="/payments")
_LOOK = ["GET", "HEAD"]
_MOST = 50


@router.api_route("", methods=_LOOK)
async def payments(
    request: Request,
    visitor: Reader,
    services: Provided,
    render: Rendered,
    before: UUID | None = None,
    state: PaymentState | None = None,
) -> Response:
    """Newest first."""
    found = await services.payments.page(
        visitor.principal, before=PaymentId(before) if before else None, most=_MOST, state=state
    )
    return await render.page(
        request,
        visitor,
        "payments/list.html.j2",
        payments=found,
        state=state,
        states=list(PaymentState),
        next=found[-1].id if len(found) == _MOST else None,
    )


@router.api_route("/{payment_id}", methods=_LOOK)
async def payment(
    payment_id: UUID, request: Request, visitor: Reader, services: Provided, render: Rendered
) -> Response:
    """What is paid, what was decided and why, what happened, what was booked."""
    principal = visitor.principal
    found = await services.payments.get(principal, PaymentId(payment_id))
    story = await services.reports.story(principal, found.id)
    stored = await services.payments.decisions(principal, found.id)
    figures = await services.cash.overview(principal)
    return await render.page(
        request,
        visitor,
        "payments/detail.html.j2",
        payment=found,
        order=parse_order(found.order_bytes),
        asked=await services.approvals.newest(principal, found.id),
        decisions=[(one, decision_from_json(one.decision)) for one in stored],
        steps=steps(story.events),
        story=story,
        reporting=figures.reporting,
        people=await services.reports.people(principal, [found.initiator_id]),
        unfinished=bool(LEGAL[found.state]) and found.state is not PaymentState.NEEDS_ATTENTION,
    )
