"""Owns the forms that change a payee's details: propose, confirm after a call, refuse."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from dashboard.forms import CheckedForm
from dashboard.pages.payees import show
from dashboard.render import Rendered
from dashboard.session import PayeeWriter, Provided
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import PayeeId
from treasurer.payees.change import FIELDS, CallBackNote, PayeeChangeId

router = APIRouter(prefix="/payees/{payee_id}/changes")


@router.post("")
async def propose(
    payee_id: UUID,
    request: Request,
    visitor: PayeeWriter,
    services: Provided,
    render: Rendered,
    form: CheckedForm,
) -> Response:
    """Propose what was written into the form. What stands in it as it was shown is no wish: somebody
    else's change of it may have been confirmed since.
    """
    wanted: dict[str, str | None] = {
        name: form.text(name) for name in FIELDS if form.text(name) != form.text(f"shown_{name}")
    }
    try:
        await services.payee_changes.propose(visitor.principal, PayeeId(payee_id), wanted)
    except InvalidInput as error:
        return await show(
            request, visitor, services, render, PayeeId(payee_id), fault=error.message, form=form
        )
    return RedirectResponse(f"/payees/{payee_id}", status_code=303)


@router.post("/{change_id}/confirmation")
async def confirm(
    payee_id: UUID,
    change_id: UUID,
    request: Request,
    visitor: PayeeWriter,
    services: Provided,
    render: Rendered,
    form: CheckedForm,
) -> Response:
    """Let the details stand after the call that the form tells of."""
    principal = visitor.principal
    async with services.database.unit(principal.organization_id) as connection:
        policy_set = await services.policies.active(connection, principal.organization_id)
    try:
        await services.payee_changes.confirm(
            principal,
            PayeeId(payee_id),
            PayeeChangeId(change_id),
            CallBackNote(
                form.text("spoke_to"),
                _instant(form.text("called_at")),
                form.text("note"),
                form.text("number"),
            ),
            cooling_off_s=policy_set.cooling_off_s,
        )
    except InvalidInput as error:
        return await show(
            request, visitor, services, render, PayeeId(payee_id), fault=error.message, form=form
        )
    return RedirectResponse(f"/payees/{payee_id}", status_code=303)


@router.post("/{change_id}/refusal")
async def refuse(
    payee_id: UUID, change_id: UUID, visitor: PayeeWriter, services: Provided, form: CheckedForm
) -> Response:
    """Let a proposal fall."""
    await services.payee_changes.refuse(
        visitor.principal, PayeeId(payee_id), PayeeChangeId(change_id)
    )
    return RedirectResponse(f"/payees/{payee_id}", status_code=303)


def _instant(text: str) -> datetime:
    """The minute of a form, in UTC."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidInput("CALL_BACK_TIME", "write when you called: date and time") from error
