"""Owns how errors become RFC 9457 problem details; the mapping to statuses stands here alone.

Must never tell a caller about our insides: no stack trace, no SQL, no value that was sent.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from treasurer.identity.errors import NotAuthenticated, TooManyAttempts
from treasurer.kernel.errors import (
    Conflict,
    InvalidInput,
    InvariantViolated,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    Permanent,
    Transient,
    TreasurerError,
)

STATUS_OF_CLASS: Mapping[type[TreasurerError], int] = {
    InvalidInput: 422,
    NotAuthenticated: 401,
    NotPermitted: 403,
    NotFound: 404,
    Conflict: 409,
    TooManyAttempts: 429,
    Permanent: 500,
    InvariantViolated: 500,
    Transient: 503,
    OutcomeUnknown: 504,
}
STATUS_OF_CODE: Mapping[str, int] = {
    "DOCUMENT_TOO_LARGE": 413,
    "MEDIA_TYPE_UNKNOWN": 415,
    "MEDIA_TYPE_MISSING": 415,
}

_FRAMEWORK: Mapping[int, tuple[str, str]] = {
    400: ("BODY_UNREADABLE", "the body could not be read; check its form against the content type"),
    404: ("ROUTE_UNKNOWN", "there is nothing at this path; see /openapi.json"),
    405: ("METHOD_NOT_ALLOWED", "this path takes other methods; see the Allow header"),
    413: ("DOCUMENT_TOO_LARGE", "the body is too large; send a document of at most 10 MB"),
    415: ("MEDIA_TYPE_UNKNOWN", "send the body in a content type that /openapi.json names"),
}
_UNKNOWN = ("INTERNAL_ERROR", "something went wrong on our side; tell us the request id")

_log = structlog.get_logger(__name__)


def status_of(error: TreasurerError) -> int:
    """The HTTP status of an error: by its code, else by the nearest class that has one."""
    if error.code in STATUS_OF_CODE:
        return STATUS_OF_CODE[error.code]
    for kind in type(error).__mro__:
        if kind in STATUS_OF_CLASS:
            return STATUS_OF_CLASS[kind]
    return 500


def problem(
    scope: Scope,
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **extensions: Any,
) -> Response:
    """The problem document. Programs read `code`, people `detail`, support `request_id`."""
    body = {
        "type": f"urn:treasurer:problem:{code.lower().replace('_', '-')}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "instance": scope["path"],
        "request_id": scope.get("state", {}).get("request_id"),
        **extensions,
    }
    return Response(
        orjson.dumps(body),
        status_code=status,
        headers=dict(headers or {}),
        media_type="application/problem+json",
    )


def internal_error(scope: Scope) -> Response:
    """What a caller sees of an exception that nobody expected."""
    code, detail = _UNKNOWN
    return problem(scope, 500, code, detail)


def install(app: FastAPI) -> None:
    """Let the application answer every error as a problem document."""
    app.exception_handler(TreasurerError)(_treasurer_error)
    app.exception_handler(RequestValidationError)(_validation_error)
    app.exception_handler(HTTPException)(_framework_error)


async def _treasurer_error(request: Request, error: TreasurerError) -> Response:
    status = status_of(error)
    if status >= 500:
        _log.error("request_failed", code=error.code, detail=error.message, exc_info=error)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="treasurer"'
    if retry_after_s := error.data.get("retry_after_s"):
        headers["Retry-After"] = str(retry_after_s)
    data = {"data": dict(error.data)} if error.data else {}
    return problem(request.scope, status, error.code, error.message, headers=headers, **data)


async def _validation_error(request: Request, error: RequestValidationError) -> Response:
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem(
            request.scope, 422, "JSON_INVALID", "the body is no JSON; check quotes and commas"
        )
    return problem(
        request.scope,
        422,
        "REQUEST_INVALID",
        "some fields are missing or wrong; `errors` names each and says what belongs there",
        errors=[
            {
                "field": ".".join(str(part) for part in fault["loc"]),
                "code": fault["type"],
                "message": fault["msg"],
            }
            for fault in faults
        ],
    )


async def _framework_error(request: Request, error: HTTPException) -> Response:
    code, detail = _FRAMEWORK.get(error.status_code, (f"HTTP_{error.status_code}", error.detail))
    return problem(request.scope, error.status_code, code, detail, headers=error.headers)
