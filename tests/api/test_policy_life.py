"""The life of a policy set and the approval limit by the API."""

from tests.support.api import ApiWorld
from tests.support.treasury import NORWICK


async def test_a_draft_is_simulated_signed_off_and_activated(world: ApiWorld) -> None:
    await world.set_up()
    yaml = NORWICK.read_text().replace("1000.00 USD", "2000.00 USD")
    draft = (await world.post("/api/v1/policy", "cfo", {"yaml": yaml})).json()
    path = f"/api/v1/policy/versions/{draft['id']}"
    changes = (await world.get(f"{path}/difference")).json()["changes"]
    assert changes[0].startswith("Changed (tiers). Before: Up to 1,000.00 USD")
    made = await world.post(f"{path}/backtests", "cfo", {"since": "2026-11-01"})
    assert made.status_code == 201
    assert made.json()["report"]["policy_digest"] == draft["digest"]
    seen = {"backtest_digest": made.json()["digest"]}
    early = await world.post(f"{path}/activation", "cfo", seen)
    assert (early.status_code, early.json()["code"]) == (409, "POLICY_NOT_SIGNED_OFF")
    states = []
    for person in ("cfo", "administrator"):
        signed = await world.post(f"{path}/sign-offs", person, seen)
        states.append((signed.status_code, signed.json()["state"]))
    assert states == [(201, "simulated"), (201, "signed_off")]
    assert len((await world.get(f"{path}/sign-offs")).json()) == 2
    active = await world.post(f"{path}/activation", "administrator", seen)
    assert (active.status_code, active.json()["state"]) == (200, "active")
    assert (await world.get("/api/v1/policy")).json()["digest"] == draft["digest"]


async def test_of_a_draft_that_was_sent_twice_either_is_signed_off(world: ApiWorld) -> None:
    await world.set_up()
    yaml = NORWICK.read_text().replace("1000.00 USD", "1500.00 USD")
    sent = [(await world.post("/api/v1/policy", "cfo", {"yaml": yaml})).json() for _ in range(2)]
    assert [each["version"] for each in sent] == [2, 3]
    path = f"/api/v1/policy/versions/{sent[0]['id']}"
    report = (await world.post(f"{path}/backtests", "cfo", {"since": "2026-11-01"})).json()
    seen = {"backtest_digest": report["digest"]}
    signed = await world.post(f"{path}/sign-offs", "cfo", seen)
    assert (signed.status_code, signed.json()["state"]) == (201, "simulated")
    other = (await world.get(f"/api/v1/policy/versions/{sent[1]['id']}")).json()
    assert other["state"] == "draft"


async def test_the_cfo_lowers_the_limit_alone_and_drafts_a_higher_one(world: ApiWorld) -> None:
    await world.set_up()
    path = "/api/settings/limit"
    lowered = await world.post(path, "cfo", {"amount": "500", "currency": "USD"})
    assert (lowered.status_code, lowered.json()["limit"]["amount"]) == (200, "500.00")
    assert (await world.get(path)).json()["limit"]["amount"] == "500.00"
    raised = await world.post(path, "cfo", {"amount": "900.00", "currency": "USD"})
    body = raised.json()
    assert (raised.status_code, body["limit"]["amount"]) == (202, "500.00")
    assert (body["draft_limit"]["amount"], body["cannot_have"]) == ("900.00", [])
    draft = (await world.get(f"/api/v1/policy/versions/{body['draft_id']}")).json()
    assert draft["state"] == "draft"
    for person, given, status, code in (
        ("administrator", {"amount": "1", "currency": "USD"}, 403, "CFO_REQUIRED"),
        ("clerk", {"amount": "1", "currency": "USD"}, 403, "PERMISSION_MISSING"),
        ("cfo", {"amount": "1", "currency": "EUR"}, 422, "LIMIT_CURRENCY"),
        ("cfo", {"amount": "1e3", "currency": "USD"}, 422, "AMOUNT_SYNTAX"),
        ("cfo", {"amount": "-1", "currency": "USD"}, 422, "LIMIT_NEGATIVE"),
    ):
        refused = await world.post(path, person, given)
        assert (refused.status_code, refused.json()["code"]) == (status, code)


async def test_a_category_is_given_by_the_cfo(world: ApiWorld) -> None:
    await world.set_up()
    payee = (await world.get("/api/v1/payees")).json()["items"][0]
    path = f"/api/v1/payees/{payee['id']}/category"
    given = await world.post(path, "cfo", {"category": "cloud"})
    assert (given.status_code, given.json()["category"]) == (200, "cloud")
    refused = await world.post(path, "clerk", {"category": None})
    assert refused.status_code == 403
