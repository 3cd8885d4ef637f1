"""Owns how templates become pages. Must never print a value unescaped, nor an undefined one at all."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from dashboard import forms, wording
from dashboard.services import PageServices
from dashboard.session import Visitor
from treasurer.kernel.organization import Permission

_HERE = Path(__file__).parent
STATIC = _HERE / "static"

NAVIGATION: tuple[tuple[str, str, Permission], ...] = (
    ("/", "Overview", Permission.TREASURY_READ),
    ("/approvals", "Approvals", Permission.TREASURY_READ),
    ("/invoices", "Invoices", Permission.TREASURY_READ),
    ("/payments", "Payments", Permission.TREASURY_READ),
    ("/payees", "Payees", Permission.TREASURY_READ),
    ("/policy", "Policy", Permission.TREASURY_READ),
    ("/audit", "Audit", Permission.AUDIT_READ),
)


class Renderer:
    """The templates, compiled once a process."""

    def __init__(self, services: PageServices) -> None:
        self._services = services
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(wording.FILTERS)
        self._environment.globals["asset"] = _static_urls().__getitem__
        self._environment.globals["TOKEN_FIELD"] = forms.TOKEN_FIELD

    def bare(self, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """A page for anybody, without navigation: signing in, errors."""
        return self._response(name, status, context)

    async def page(
        self, request: Request, visitor: Visitor, name: str, *, status: int = 200, **context: Any
    ) -> HTMLResponse:
        """A page within the frame that every signed-in visitor sees."""
        frame = {
            "letterhead": await self._services.reports.letterhead(visitor.principal),
            "navigation": [
                (path, label) for path, label, asked in NAVIGATION if visitor.may(asked)
            ],
            "here": _section(request.url.path),
            "visitor": visitor,
            "form_token": forms.token_of(visitor),
            "now": self._services.clock(),
        }
        return self._response(name, status, {**frame, **context})

    def _response(self, name: str, status: int, context: Mapping[str, Any]) -> HTMLResponse:
        text = self._environment.get_template(name).render(context)
        return HTMLResponse(text, status_code=status)


async def renderer_of(request: Request) -> Renderer:
    """The application's renderer."""
    renderer: Renderer = request.app.state.renderer
    return renderer


Rendered = Annotated[Renderer, Depends(renderer_of)]


def _section(path: str) -> str:
    """The navigation entry that a path belongs to."""
    first = path.split("/")[1]
    return "/approvals" if first == "approve" else f"/{first}"


def _static_urls() -> dict[str, str]:
    """Names to addresses that change with the content, so that browsers may keep them for ever."""
    return {
        file.name: f"/static/{file.name}?v={sha256(file.read_bytes()).hexdigest()[:12]}"
        for file in sorted(STATIC.iterdir())
    }
