"""Owns what the API says about itself beyond its operations: problems and ways to sign in."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from treasurer.identity.browser import SESSION_COOKIE

_TEXT = {"type": "string"}
_SCHEMAS = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457. Programs read `code`, people `detail`, support `request_id`. "
        "`errors` names faulty fields, `data` holds the figures that `detail` speaks of.",
        "required": ["type", "title", "status", "code", "detail", "instance", "request_id"],
        "properties": {
            **dict.fromkeys(("type", "title", "code", "detail", "instance"), _TEXT),
            "status": {"type": "integer"},
            "request_id": {"type": ["string", "null"]},
            "data": {"type": "object"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": dict.fromkeys(("field", "code", "message"), _TEXT),
                },
            },
        },
    }
}
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
}
_PROBLEM = {
    "description": "A problem",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
# The framework would describe its own form of a validation error, which we never send.
_FRAMEWORK_SCHEMAS = ("HTTPValidationError", "ValidationError")


def install(app: FastAPI) -> None:
    """Let /openapi.json tell our problems in place of the framework's."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _description(app)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _description(app: FastAPI) -> dict[str, Any]:
    description = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
    )
    components = description["components"]
    for name in _FRAMEWORK_SCHEMAS:
        components["schemas"].pop(name, None)
    components["schemas"] |= _SCHEMAS
    components["securitySchemes"] = _SECURITY
    for methods in description["paths"].values():
        for operation in methods.values():
            _with_problems(operation["responses"])
    return description


def _with_problems(responses: dict[str, Any]) -> None:
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]
    responses["default"] = _PROBLEM
