"""Owns the policy's page: the active set in plain English, and its history. Looking only."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from dashboard.render import Rendered
from dashboard.services import PageServices
from dashboard.session import Provided, Reader
from policy.policy_set import PolicySet
from treasurer.kernel.errors import Conflict
from treasurer.kernel.organization import Principal

router = APIRouter(prefix="/policy")


@router.api_route("", methods=["GET", "HEAD"])
async def policy(
    request: Request, visitor: Reader, services: Provided, render: Rendered
) -> Response:
    """What may be paid, and who must agree."""
    active = await active_policy(services, visitor.principal)
    history = await services.policies.history(visitor.principal)
    people = await services.reports.people(
        visitor.principal,
        [user for stored in history for user in (stored.created_by, stored.activated_by)],
    )
    return await render.page(
        request,
        visitor,
        "policy.html.j2",
        active=active,
        sentences=active.sentences() if active else [],
        history=history,
        people=people,
    )


async def active_policy(services: PageServices, principal: Principal) -> PolicySet | None:
    """The set that decides now; None before the first is activated, when nothing is paid."""
    async with services.database.unit(principal.organization_id) as connection:
        try:
            return await services.policies.active(connection, principal.organization_id)
        except Conflict:
            return None
