"""Owns the page that enrols an authenticator app. Must never show a secret that counts already."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from dashboard.forms import CheckedForm
from dashboard.pages.approvals import prove
from dashboard.render import Rendered
from dashboard.session import Person, Provided
from treasurer.identity.errors import NotAuthenticated, TooManyAttempts
from treasurer.identity.totp import NewSecret
from treasurer.kernel.errors import Conflict

router = APIRouter(prefix="/authenticator")
_PAGE = "session/authenticator.html.j2"


@router.api_route("", methods=["GET", "HEAD"])
async def authenticator(
    request: Request, visitor: Person, services: Provided, render: Rendered
) -> Response:
    """Whether one is enrolled, and the button that begins."""
    enrolled = await services.codes.enrolled(visitor.principal)
    return await render.page(
        request, visitor, _PAGE, enrolled=enrolled, new=None, begun=False, fault=None
    )


@router.post("")
async def begin(
    request: Request, visitor: Person, services: Provided, render: Rendered, form: CheckedForm
) -> Response:
    """Show a new secret, once; it replaces a former one."""
    new: NewSecret | None = None
    fault: NotAuthenticated | TooManyAttempts | None = None
    try:
        await prove(request, visitor, services, form)
        user = await services.identity.profile(visitor.principal)
        new = await services.codes.begin(visitor.principal, email=user.email)
    except (NotAuthenticated, TooManyAttempts) as error:
        fault = error
    response = await render.page(
        request,
        visitor,
        _PAGE,
        status=403 if fault else 200,
        enrolled=False,
        new=new,
        begun=new is not None,
        fault=fault.message if fault else None,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@router.post("/confirmation")
async def confirm(
    request: Request, visitor: Person, services: Provided, render: Rendered, form: CheckedForm
) -> Response:
    """Make the new secret count by its first code."""
    try:
        await services.codes.confirm(visitor.principal, form.text("code"))
    except Conflict as error:
        return await render.page(
            request,
            visitor,
            _PAGE,
            status=409,
            enrolled=False,
            new=None,
            begun=True,
            fault=error.message,
        )
    return RedirectResponse("/authenticator", status_code=303)
