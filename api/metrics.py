"""Owns the API's own metrics and the page that serves all of them. Must never label by id or person."""

import secrets
from functools import lru_cache

from fastapi import APIRouter, Depends, Request
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.responses import Response

from api.auth import Access, Provided, Requires
from treasurer.kernel.organization import Permission

_REQUESTS = Counter(
    "treasurer_http_requests_total", "Requests answered.", ("method", "route", "status")
)
_SECONDS = Histogram(
    "treasurer_http_request_seconds",
    "Time from the request's head to the answer's end.",
    ("method", "route"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10),
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

router = APIRouter(tags=["operation"])


def observe(method: str, route: str, status: int, elapsed_s: float) -> None:
    """Record one answered request. `route` is the path's template; other methods count as one."""
    answered, took = _series(method if method in _METHODS else "other", route, status)
    answered.inc()
    took.observe(elapsed_s)


@lru_cache(maxsize=4096)
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Finding a series by its labels costs more than counting in it."""
    return _REQUESTS.labels(method, route, str(status)), _SECONDS.labels(method, route)


class MetricsReader(Access):
    """An administrator, or a scraper with the token of the settings."""

    label = Permission.ADMIN_ALL.value

    def __init__(self) -> None:
        self._administrator = Requires(Permission.ADMIN_ALL)

    async def __call__(self, request: Request, services: Provided) -> None:
        expected = services.settings.metrics_token
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not expected or not secrets.compare_digest(given.encode(), expected.encode()):
            await self._administrator(request)


@router.get("/metrics", dependencies=[Depends(MetricsReader())])
async def metrics() -> Response:
    """All metrics of this process, in Prometheus's text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
