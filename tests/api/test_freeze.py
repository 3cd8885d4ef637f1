"""Stopping payments over REST, and what the policy says of a payment meanwhile."""

from tests.support.api import ApiWorld
from tests.support.invoices import printed

FREEZE, UNFREEZE = "/api/v1/freeze", "/api/v1/unfreeze"
THAWED = {"frozen": False, "since": None, "by": None, "reason": None}


async def test_frozen_by_a_cfo_and_lifted_by_an_administrator(world: ApiWorld) -> None:
    assert (await world.get(FREEZE, "clerk")).json() == THAWED
    stopped = await world.post(FREEZE, "cfo", {"reason": "wrong invoices"})
    assert stopped.status_code == 200
    assert stopped.json() == (await world.get(FREEZE, "clerk")).json()
    assert stopped.json()["frozen"] is True
    assert stopped.json()["since"] == "2026-11-22T10:00:00.000000Z"
    assert stopped.json()["reason"] == "wrong invoices"
    refused = await world.post(UNFREEZE, "cfo", {"reason": "all is well"})
    assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_MISSING")
    lifted = await world.post(UNFREEZE, "administrator", {"reason": "all is well"})
    assert (lifted.status_code, lifted.json()) == (200, THAWED)


async def test_a_clerk_cannot_and_a_reason_is_needed(world: ApiWorld) -> None:
    refused = await world.post(FREEZE, "clerk", {"reason": "because"})
    assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_MISSING")
    assert (await world.post(FREEZE, "cfo", {})).status_code == 422
    assert (await world.post(FREEZE, "cfo", {"reason": " "})).json()["code"] == "REASON_MISSING"
    assert (await world.get(FREEZE)).json() == THAWED


async def test_a_payment_is_denied_for_now_while_frozen(world: ApiWorld) -> None:
    await world.set_up()
    await world.post(FREEZE, "administrator", {"reason": "audit"})
    payment = await world.paid_for(printed("HF-1", "100.00 USDC"))
    assert payment["state"] == "proposed"
    assert (await world.get("/api/dashboard")).json()["frozen"] is True
