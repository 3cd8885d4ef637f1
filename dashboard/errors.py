"""Owns how errors look: a page for browsers, a problem document for programs.

Must never tell about our insides. Statuses and problem documents are the API's: they are passed in.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from dashboard.render import Renderer
from dashboard.session import sign_in_path
from treasurer.identity.browser import SAFE_METHODS
from treasurer.identity.errors import NotAuthenticated
from treasurer.kernel.errors import TreasurerError

StatusOf = Callable[[TreasurerError], int]


class Problem(Protocol):
    """Makes an RFC 9457 answer."""

    def __call__(
        self,
        scope: Scope,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> Response: ...


_TITLES: Mapping[int, str] = {
    401: "Please sign in",
    403: "Not permitted",
    404: "Not found",
    409: "This has changed meanwhile",
    413: "Too large",
    422: "Please check what you sent",
    429: "Too many attempts",
}
_FRAMEWORK: Mapping[int, tuple[str, str]] = {
    400: ("FORM_UNREADABLE", "the form could not be read; open the page again"),
    404: ("PAGE_UNKNOWN", "there is no page at this address"),
    405: ("METHOD_NOT_ALLOWED", "this address is for another kind of request"),
    413: ("DOCUMENT_TOO_LARGE", "the document is too large; send one of at most 10 MB"),
}
_INTERNAL = ("INTERNAL_ERROR", "something went wrong on our side; tell us the request id")

_log = structlog.get_logger(__name__)


def install(app: FastAPI, renderer: Renderer, *, status_of: StatusOf, problem: Problem) -> None:
    """Let the application answer every error in its caller's form."""

    def answer(
        request: Request,
        status: int,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        if not wants_page(request):
            return problem(request.scope, status, code, detail, headers=headers)
        page = renderer.bare(
            "error.html.j2",
            status=status,
            title=_TITLES.get(status, HTTPStatus(status).phrase),
            code=code,
            detail=detail,
            sign_in=sign_in_path(request) if status == 401 else None,
            request_id=request.scope.get("state", {}).get("request_id"),
        )
        page.headers.update(headers or {})
        return page

    async def treasurer_error(request: Request, error: TreasurerError) -> Response:
        status = status_of(error)
        if status >= 500:
            _log.error("page_failed", code=error.code, detail=error.message, exc_info=error)
        if (
            isinstance(error, NotAuthenticated)
            and wants_page(request)
            and request.method in SAFE_METHODS
        ):
            return RedirectResponse(sign_in_path(request), status_code=303)
        headers = {}
        if retry_after_s := error.data.get("retry_after_s"):
            headers["Retry-After"] = str(retry_after_s)
        return answer(request, status, error.code, error.message, headers)

    async def framework_error(request: Request, error: HTTPException) -> Response:
        code, detail = _FRAMEWORK.get(error.status_code, ("HTTP_ERROR", error.detail))
        return answer(request, error.status_code, code, detail, error.headers)

    async def unknown_address(request: Request, error: RequestValidationError) -> Response:
        # Only addresses are validated by the framework: an id that is none names nothing.
        return answer(request, 404, *_FRAMEWORK[404])

    async def internal_error(request: Request, error: Exception) -> Response:
        return answer(request, 500, *_INTERNAL)

    app.exception_handler(TreasurerError)(treasurer_error)
    app.exception_handler(HTTPException)(framework_error)
    app.exception_handler(RequestValidationError)(unknown_address)
    app.exception_handler(Exception)(internal_error)


def wants_page(request: Request) -> bool:
    """Whether the caller is a browser that navigates: only those ask for HTML by name."""
    return "text/html" in request.headers.get("accept", "")
