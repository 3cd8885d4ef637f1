"""Errors as problem details: shape, codes, and what they never tell."""

import re
from collections.abc import AsyncIterator

import pytest
from fastapi import Depends
from fastapi.routing import APIRoute

from api.auth import Public
from api.errors import status_of
from api.middleware import MOST_DOCUMENT_BYTES
from tests.support.api import ApiWorld
from treasurer.identity.errors import NotAuthenticated
from treasurer.kernel import errors

MISSING = "/api/v1/invoices/0192f3c4-0000-7000-8000-000000000000"


async def test_a_problem_has_all_its_parts(world: ApiWorld) -> None:
    answer = await world.get(MISSING)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:treasurer:problem:invoice-not-found",
        "title": "Not Found",
        "status": 404,
        "code": "INVOICE_NOT_FOUND",
        "detail": "no invoice of that id is here",
        "instance": MISSING,
        "request_id": answer.headers["x-request-id"],
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nothing", 404, "ROUTE_UNKNOWN"),
        ("GET", "/nothing", 404, "ROUTE_UNKNOWN"),
        ("DELETE", "/api/v1/invoices", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/api/v1/invoices/not-an-id", 422, "REQUEST_INVALID"),
        ("GET", "/api/v1/invoices?most=0", 422, "REQUEST_INVALID"),
        ("GET", "/api/v1/invoices?state=unknown", 422, "REQUEST_INVALID"),
    ],
)
async def test_the_frameworks_refusals_are_problems_too(
    world: ApiWorld, method: str, path: str, status: int, code: str
) -> None:
    answer = await world.client.request(method, path, headers=await world.bearer("cfo"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_wrong_body_names_each_field_and_echoes_none(world: ApiWorld) -> None:
    answer = await world.post(
        "/users/", "administrator", {"email": 7, "roles": ["king"], "secret": "hunter2"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "REQUEST_INVALID")
    assert {fault["field"] for fault in answer.json()["errors"]} == {
        "body.email",
        "body.name",
        "body.roles.0",
        "body.secret",
    }
    assert "hunter2" not in answer.text
    assert "king" not in answer.text


async def test_broken_json_is_told_apart(world: ApiWorld) -> None:
    headers = {**await world.bearer("administrator"), "Content-Type": "application/json"}
    answer = await world.client.post("/users/", headers=headers, content=b'{"email": ')
    assert (answer.status_code, answer.json()["code"]) == (422, "JSON_INVALID")


async def test_an_unexpected_exception_shows_a_request_id_and_nothing_else(
    world: ApiWorld,
) -> None:
    async def broken() -> None:
        raise RuntimeError("password=hunter2 at /srv/treasurer/secret.py")

    world.app.router.routes.append(
        APIRoute("/api/broken", broken, dependencies=[Depends(Public())])
    )
    answer = await world.client.get("/api/broken", headers={"X-Request-Id": "support-4711"})
    assert answer.status_code == 500
    assert answer.json() == {
        "type": "urn:treasurer:problem:internal-error",
        "title": "Internal Server Error",
        "status": 500,
        "code": "INTERNAL_ERROR",
        "detail": "something went wrong on our side; tell us the request id",
        "instance": "/api/broken",
        "request_id": "support-4711",
    }
    assert answer.headers["x-request-id"] == "support-4711"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.InvalidInput, 422),
        (NotAuthenticated, 401),
        (errors.NotPermitted, 403),
        (errors.NotFound, 404),
        (errors.Conflict, 409),
        (errors.Transient, 503),
        (errors.OutcomeUnknown, 504),
        (errors.Permanent, 500),
        (errors.InvariantViolated, 500),
        (errors.TreasurerError, 500),
    ],
)
def test_each_class_has_its_status(kind: type[errors.TreasurerError], status: int) -> None:
    assert status_of(kind("SOME_CODE", "a sentence")) == status


async def test_an_announced_body_above_the_limit_is_refused_unread(world: ApiWorld) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    headers = {
        **await world.bearer("clerk"),
        "Content-Type": "application/pdf",
        "Content-Length": str(MOST_DOCUMENT_BYTES + 1),
    }
    answer = await world.client.post("/api/v1/invoices", headers=headers, content=never())
    assert (answer.status_code, answer.json()["code"]) == (413, "DOCUMENT_TOO_LARGE")


@pytest.mark.parametrize("path", ["/api/v1/invoices", "/api/process-invoice", "/users/"])
async def test_a_body_that_grows_above_the_limit_is_refused(world: ApiWorld, path: str) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 3 * MOST_DOCUMENT_BYTES:
            sent += 1_000_000
            yield b"x" * 1_000_000

    headers = {**await world.bearer("administrator"), "Content-Type": "application/json"}
    if path != "/users/":
        headers = {**await world.bearer("clerk"), "Content-Type": "text/plain"}
    answer = await world.client.post(path, headers=headers, content=endless())
    assert (answer.status_code, answer.json()["code"]) == (413, "DOCUMENT_TOO_LARGE")
    assert sent <= MOST_DOCUMENT_BYTES + 1_000_000


async def test_a_form_may_be_a_little_larger_than_its_document(world: ApiWorld) -> None:
    bearer = await world.bearer("clerk")
    for size, status in ((MOST_DOCUMENT_BYTES, 202), (MOST_DOCUMENT_BYTES + 1, 413)):
        answer = await world.client.post(
            "/api/v1/invoices",
            headers=bearer,
            files={"file": ("big.txt", b"x" * size, "text/plain")},
        )
        assert answer.status_code == status, answer.text
    assert answer.json()["code"] == "DOCUMENT_TOO_LARGE"


@pytest.mark.parametrize("given", ["short", "x" * 65, "a b c d e f", "<script>alert(1)</script>"])
async def test_a_strange_request_id_is_replaced(world: ApiWorld, given: str) -> None:
    answer = await world.client.get("/health/live", headers={"X-Request-Id": given})
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
