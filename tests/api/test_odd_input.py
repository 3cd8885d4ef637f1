"""Input that no database or parser of ours can hold is refused with a problem, and breaks nothing."""

from typing import Any

import pytest

from tests.support.api import ApiWorld

NUL = "a\x00b"
ORDER = {
    "order": "PO-1",
    "payee_code": "V-001",
    "currency": "USD",
    "line": 1,
    "name": "Freight",
    "quantity": "1",
    "net_amount": "1.00",
}
RECEIPT = {
    "order": "PO-1",
    "line": 1,
    "quantity": "1",
    "reference": NUL,
    "received_on": "2026-11-01",
}


@pytest.mark.parametrize(
    ("person", "path", "body", "field"),
    [
        ("cfo", "/api/v1/freeze", {"reason": NUL}, "body.reason"),
        ("clerk", "/api/v1/purchases/orders", {"lines": [{**ORDER, "order": NUL}]}, "order"),
        ("clerk", "/api/v1/purchases/orders", {"lines": [{**ORDER, "payee_code": NUL}]}, "payee_code"),
        ("clerk", "/api/v1/purchases/orders", {"lines": [{**ORDER, "name": NUL}]}, "name"),
        ("clerk", "/api/v1/purchases/receipts", {"receipts": [RECEIPT]}, "reference"),
        (
            "clerk",
            "/api/v1/invoices/0192f3c4-0000-7000-8000-000000000000/reviews",
            {"reason": "so", "accepted": [NUL], "stated": {NUL: "1"}},
            "body.accepted",
        ),
    ],
)  # fmt: skip
async def test_a_zero_byte_in_a_text_is_refused_by_its_field(
    world: ApiWorld, person: str, path: str, body: dict[str, Any], field: str
) -> None:
    answer = await world.post(path, person, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "REQUEST_INVALID")
    assert field in " ".join(fault["field"] for fault in answer.json()["errors"])
    assert "\\u0000" not in answer.text


async def test_a_zero_byte_in_an_e_mail_address_is_a_wrong_one(world: ApiWorld) -> None:
    form = {"username": "cfo\x00@example.test", "password": "correct horse battery"}
    answer = await world.client.post("/token", data=form)
    assert (answer.status_code, answer.json()["code"]) == (401, "CREDENTIALS_REFUSED")


@pytest.mark.parametrize("before", [str(2**63), "-" + "9" * 30])
@pytest.mark.parametrize("path", ["/api/v1/audit/events", "/api/v1/policy/versions"])
async def test_a_cursor_beyond_all_numbers_is_no_cursor(
    world: ApiWorld, path: str, before: str
) -> None:
    answer = await world.get(path, before=before)
    assert (answer.status_code, answer.json()["code"]) == (422, "REQUEST_INVALID")


async def test_a_backtest_from_before_all_time_is_refused(world: ApiWorld) -> None:
    await world.set_up()
    active = (await world.get("/api/v1/policy")).json()
    path = f"/api/v1/policy/versions/{active['id']}/backtests"
    answer = await world.post(path, "cfo", {"since": "0001-01-01"})
    assert (answer.status_code, answer.json()["code"]) == (422, "BACKTEST_SINCE")
