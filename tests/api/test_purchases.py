"""Orders and receipts over the API."""

from tests.support.api import ApiWorld

LINE = {
    "order": "PO-9", "payee_code": "V-001", "currency": "USD", "line": 1, "name": "Pallet",
    "quantity": "10", "net_amount": "1000.00",
}  # fmt: skip


async def test_orders_and_receipts_go_in_and_are_shown(world: ApiWorld) -> None:
    await world.set_up()
    stored = await world.post("/api/v1/purchases/orders", "clerk", {"lines": [LINE]})
    assert (stored.status_code, stored.json()) == (201, {"imported": 1})
    receipt = {
        "order": "PO-9", "line": 1, "quantity": "4", "reference": "LS-1",
        "received_on": "2026-11-20",
    }  # fmt: skip
    received = await world.post("/api/v1/purchases/receipts", "clerk", {"receipts": [receipt]})
    assert received.json() == {"imported": 1}
    shown = (await world.get("/api/v1/purchases/orders/PO-9")).json()
    assert (shown["total"]["amount"], shown["lines"][0]["received"]) == ("1000.00", "4")
    closed = await world.post("/api/v1/purchases/orders/PO-9/closing", "clerk", {})
    assert closed.json()["closed"] is True
    assert [
        item["number"] for item in (await world.get("/api/v1/purchases/orders")).json()["items"]
    ] == ["PO-9"]
    unknown = await world.post(
        "/api/v1/purchases/orders", "clerk", {"lines": [LINE | {"payee_code": "X"}]}
    )
    assert (unknown.status_code, unknown.json()["code"]) == (422, "PAYEE_UNKNOWN")


async def test_a_number_with_slashes_is_found_and_closed(world: ApiWorld) -> None:
    await world.set_up()
    for number in ("PO/2026/7", "csv"):
        line = LINE | {"order": number}
        await world.post("/api/v1/purchases/orders", "clerk", {"lines": [line]})
        path = f"/api/v1/purchases/orders/{number.replace('/', '%2F')}"
        found = await world.get(path)
        assert (found.status_code, found.json().get("number")) == (200, number)
        closed = await world.post(f"{path}/closing", "clerk", {})
        assert (closed.status_code, closed.json()["closed"]) == (200, True)
