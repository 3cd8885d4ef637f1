"""Owns what every request passes: id, log, metrics, headers, rate and size limits. Pure ASGI only.

Must never read a body: each layer is a function call a message, where Starlette's
BaseHTTPMiddleware costs two thirds of the throughput.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_network
from time import perf_counter
from uuid import UUID

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import internal_error, problem
from api.metrics import observe
from treasurer.documents.limits import Limits
from treasurer.identity.counters import WindowCounters

MOST_DOCUMENT_BYTES = Limits().document_bytes
_MULTIPART_BYTES = 64 * 1024  # boundaries, part headers and small fields around the document

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; "
        "object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
_UNLIMITED = ("/health/", "/static/")  # probes, and the files of a page that was counted itself

_log = structlog.get_logger("api.access")


class RequestContext:
    """Gives a request its id and its answer the headers that it does not set itself, logs and measures
    its end, and answers what nobody caught.
    """

    def __init__(self, app: ASGIApp, *, new_id: Callable[[], UUID], served_over_tls: bool) -> None:
        self._app = app
        self._new_id = new_id
        headers = dict(SECURITY_HEADERS)
        if served_over_tls:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        # As ASGI spells them: the names are compared with those of each response.
        self._headers = {
            name.lower().encode("ascii"): value.encode("ascii") for name, value in headers.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = _header(scope, b"x-request-id")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else str(self._new_id())
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started, status = perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message.get("headers", ())
                own = {**self._headers, b"x-request-id": request_id.encode("ascii")}
                for name, _ in given:
                    own.pop(name, None)
                message["headers"] = [*given, *own.items()]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            _log.exception("request_broke", method=scope["method"], path=scope["path"])
            if status:
                raise  # half an answer is out: only closing the connection tells the caller
            await internal_error(scope)(scope, receive, send_with_id)
        finally:
            self._finished(scope, status, perf_counter() - started)

    def _finished(self, scope: Scope, status: int, elapsed_s: float) -> None:
        # The template, not the path: ids would make a metric a series each.
        route = getattr(scope.get("route"), "path", "unmatched")
        observe(scope["method"], route, status, elapsed_s)
        _log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            elapsed_ms=round(elapsed_s * 1000, 2),
            address=client_address(scope),
        )


class RateLimit:
    """Allows so many requests a minute and address, counted in Valkey over all processes.

    Fails open: without Valkey there is no limit, rather than no service.
    """

    def __init__(self, app: ASGIApp, *, counters: WindowCounters, per_minute: int) -> None:
        self._app = app
        self._counters = counters
        self._per_minute = per_minute

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(_UNLIMITED):
            counted = await self._counters.count(f"requests:{_network(scope)}", window_s=60)
            if counted and counted.count > self._per_minute:
                refused = problem(
                    scope,
                    429,
                    "RATE_LIMITED",
                    f"more than {self._per_minute} requests in a minute; "
                    f"wait {counted.ends_in_s} seconds",
                    headers={"Retry-After": str(counted.ends_in_s)},
                )
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)


class BodyLimit:
    """Refuses a body above the largest document, by its announced length or while it arrives."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = MOST_DOCUMENT_BYTES
        if _header(scope, b"content-type").startswith("multipart/"):
            most += _MULTIPART_BYTES
        announced = _header(scope, b"content-length")
        if announced.isdigit() and int(announced) > most:
            await _too_large(scope)(scope, receive, send)
            return
        arrived = 0

        async def receive_within() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > most:
                # Frameworks turn other exceptions of a body into "could not be parsed".
                raise HTTPException(413)
            return message

        await self._app(scope, receive_within, send)


def client_address(scope: Scope) -> str:
    """Where the request comes from, as the server or a trusted proxy says."""
    client = scope.get("client")
    return client[0] if client else "local"


def _header(scope: Scope, name: bytes) -> str:
    """The first header of that lower-case name, or nothing. `Headers` raises for each that is missing."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""


def _network(scope: Scope) -> str:
    """The address to count by. One customer holds a whole /64 of IPv6."""
    address = client_address(scope)
    if ":" not in address:
        return address
    try:
        return str(ip_network((IPv6Address(address.partition("%")[0]), 64), strict=False))
    except ValueError:
        return address


def _too_large(scope: Scope) -> ASGIApp:
    return problem(
        scope,
        413,
        "DOCUMENT_TOO_LARGE",
        f"a document has at most {MOST_DOCUMENT_BYTES // 2**20} MB; send a smaller one",
    )
