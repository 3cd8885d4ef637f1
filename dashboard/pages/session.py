"""Owns signing in and out by a browser. A link's GET shows a button: mail scanners must not spend it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from dashboard.forms import CheckedForm, OwnForm
from dashboard.render import Rendered
from dashboard.session import HOME, Provided, Public, SignedIn, Visitor, begin, end, local_path
from treasurer.identity.errors import NotAuthenticated, TooManyAttempts
from treasurer.identity.tokens import TokenUse

router = APIRouter()
_LOOK = ["GET", "HEAD"]


@router.api_route("/login", methods=_LOOK, dependencies=[Depends(Public())])
async def login_page(render: Rendered, next: str = HOME) -> Response:
    """The sign-in form."""
    return render.bare("session/login.html.j2", next=local_path(next), email="", fault=None)


@router.post("/login", dependencies=[Depends(Public())])
async def login(request: Request, services: Provided, render: Rendered, form: OwnForm) -> Response:
    """Sign in and go on to where the visitor wanted to be."""
    to, email = local_path(form.text("next")), form.text("email")
    address = request.client.host if request.client else "local"
    try:
        session = await services.identity.sign_in_browser(
            email, form.text("password"), address=address
        )
    except (NotAuthenticated, TooManyAttempts) as error:
        status = 429 if isinstance(error, TooManyAttempts) else 401
        return render.bare(
            "session/login.html.j2", status=status, next=to, email=email, fault=error.message
        )
    return begin(session, to, clock=services.clock, served_over_tls=services.served_over_tls)


@router.api_route("/login/link/{token}", methods=_LOOK, dependencies=[Depends(Public())])
async def link_page(token: str, render: Rendered) -> Response:
    """A button. Whether the link still holds is told when it is pressed, and never to a scanner."""
    return render.bare("session/link.html.j2")


@router.post("/login/link/{token}", dependencies=[Depends(Public())])
async def redeem_link(token: str, services: Provided, form: OwnForm) -> Response:
    """Spend the link."""
    session = await services.identity.redeem_link(token)
    return begin(session, HOME, clock=services.clock, served_over_tls=services.served_over_tls)


@router.post("/logout")
async def logout(
    visitor: Annotated[Visitor, Depends(SignedIn())], services: Provided, form: CheckedForm
) -> Response:
    """End the session."""
    await services.identity.sign_out(visitor.cookie, TokenUse.BROWSER)
    return end("/login")
