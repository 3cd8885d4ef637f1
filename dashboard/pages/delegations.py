"""Owns the page of delegations: who votes for the visitor, and for whom the visitor votes."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from dashboard.forms import CheckedForm
from dashboard.render import Rendered, Renderer
from dashboard.services import PageServices
from dashboard.session import Provided, Visitor, Voter
from treasurer.identity.store import users_with_roles
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import UserId
from treasurer.kernel.organization import ROLE_PERMISSIONS, Permission, PrincipalKind, Role

router = APIRouter(prefix="/delegations")
_LOOK = ["GET", "HEAD"]
_VOTING = [role for role in Role if Permission.APPROVALS_VOTE in ROLE_PERMISSIONS[role]]


@router.api_route("", methods=_LOOK)
async def delegations(
    request: Request, visitor: Voter, services: Provided, render: Rendered
) -> Response:
    """What the visitor gave and was given, and a form to give one."""
    return await _show(request, visitor, services, render)


@router.post("")
async def delegate(
    request: Request, visitor: Voter, services: Provided, render: Rendered, form: CheckedForm
) -> Response:
    """Let the chosen person vote for the visitor until the given day's end, UTC."""
    try:
        await services.delegations.delegate(
            visitor.principal,
            _person(form.text("delegate_id")),
            ends_at=_instant(form.text("ends_at")),
        )
    except InvalidInput as error:
        return await _show(request, visitor, services, render, fault=error.message)
    return RedirectResponse("/delegations", status_code=303)


@router.post("/{delegation_id}/revocation")
async def revoke(
    delegation_id: UUID, visitor: Voter, services: Provided, form: CheckedForm
) -> Response:
    """End a delegation that the visitor gave."""
    await services.delegations.revoke(visitor.principal, delegation_id)
    return RedirectResponse("/delegations", status_code=303)


async def _show(
    request: Request,
    visitor: Visitor,
    services: PageServices,
    render: Renderer,
    *,
    fault: str | None = None,
) -> Response:
    principal = visitor.principal
    found = await services.delegations.of(principal)
    async with services.database.unit(principal.organization_id) as connection:
        users = await users_with_roles(connection, principal.organization_id, _VOTING)
    people = await services.reports.people(
        principal, [id_ for each in found for id_ in (each.delegator_id, each.delegate_id)]
    )
    return await render.page(
        request,
        visitor,
        "approvals/delegations.html.j2",
        status=422 if fault else 200,
        given=[each for each in found if each.delegator_id == principal.user_id],
        taken=[each for each in found if each.delegate_id == principal.user_id],
        choice=[
            user
            for user in users
            if user.kind is PrincipalKind.HUMAN and user.id != principal.user_id
        ],
        people=people,
        fault=fault,
    )


def _person(text: str) -> UserId:
    try:
        return UserId(UUID(text))
    except ValueError as error:
        raise InvalidInput("DELEGATE_MISSING", "choose who votes for you") from error


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidInput(
            "DELEGATION_PERIOD", "write until when, as date and time in UTC"
        ) from error
