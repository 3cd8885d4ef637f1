"""Payments, transactions, dashboard, limit and policy as programs read them."""

import pytest
from redis.asyncio import Redis

from tests.support.api import ApiWorld, open_world
from tests.support.invoices import printed
from tests.support.organization import create_organization
from tests.support.treasury import NORWICK
from treasurer.db.engine import Database

UNKNOWN = "0192f3c4-0000-7000-8000-000000000000"


async def test_a_payment_tells_its_story(world: ApiWorld) -> None:
    payees = await world.set_up()
    paid = await world.paid_for(printed("HF-4101", "840.00 USDC"))
    answer = await world.get(f"/api/v1/payments/{paid['id']}")
    story = answer.json()
    assert {key: story[key] for key in paid} == paid
    assert paid["state"] == "approved"
    assert paid["amount"] == {
        "amount": "840.000000",
        "currency": "USDC",
        "amount_minor": "840000000",
    }
    assert (paid["payee_code"], paid["recipient"]) == (
        "V-001",
        payees["V-001"].addresses[0].address,
    )
    assert paid["invoice_number"] == "HF-4101"
    assert paid["not_after"] == "2026-11-29T10:00:00.000000Z"
    assert paid["initiator_id"] == str(world.organization.clerk.user_id)
    assert (paid["transaction_hash"], paid["settled_at"], paid["balance_after"]) == (
        None,
        None,
        None,
    )
    assert story["transfers"] == []
    (decision,) = story["decisions"]
    assert (decision["stage"], decision["outcome"]) == ("proposal", "ALLOW")
    assert decision["request"]["recipient"] == paid["recipient"]
    assert decision["request"]["amount_minor"] == "840000000"
    assert decision["decision"]["policy_digest"] == decision["policy_digest"]
    assert [event["kind"] for event in story["events"]] == [
        "payment.approved",
        "payment.proposed",
    ]
    assert story["events"][1]["payload"]["order_digest"] == paid["order_digest"]


async def test_transactions_are_the_payments(world: ApiWorld) -> None:
    await world.set_up()
    paid = [await world.paid_for(printed(f"HF-{n}", f"{n}00.00 USDC")) for n in (1, 2, 3)]
    assert (await world.get("/api/transactions", most=2)).json() == {
        "items": [paid[2], paid[1]],
        "next": paid[1]["id"],
    }
    last = (await world.get("/api/transactions", most=2, before=paid[1]["id"])).json()
    assert last == {"items": [paid[0]], "next": None}
    assert (await world.get(f"/api/transactions/{paid[0]['id']}")).json() == paid[0]
    assert (await world.get("/api/transactions", state="settled")).json()["items"] == []
    assert len((await world.get("/api/v1/payments", state="approved")).json()["items"]) == 3


@pytest.mark.parametrize("path", ["/api/v1/payments", "/api/transactions"])
async def test_another_organizations_payment_does_not_exist(
    world: ApiWorld, database: Database, valkey: Redis, path: str
) -> None:
    await world.set_up()
    paid = await world.paid_for(printed())
    other = await create_organization(database)
    async with open_world(database, valkey, other, world.clock) as stranger:
        answer = await stranger.get(f"{path}/{paid['id']}")
        assert (answer.status_code, answer.json()["code"]) == (404, "PAYMENT_UNKNOWN")
        assert (await stranger.get(path)).json() == {"items": [], "next": None}


async def test_the_dashboard_sums_up_the_treasury(world: ApiWorld) -> None:
    await world.set_up()
    await world.paid_for(printed("HF-1", "840.00 USDC"))
    await world.paid_for(printed("HF-2", "4150.00 USDC"))
    body = (await world.get("/api/dashboard", "auditor")).json()

    def usd(amount: str) -> dict[str, str]:
        minor = amount.replace(".", "").lstrip("0") or "0"
        return {"amount": amount, "currency": "USD", "amount_minor": minor}

    usdc = {"amount": "50000.000000", "currency": "USDC", "amount_minor": "50000000000"}
    none = {"amount": "0.000000", "currency": "USDC", "amount_minor": "0"}
    (balance,) = body.pop("balances")
    assert balance.pop("account").startswith("wallet:")
    assert balance == {"posted": usdc, "held": none, "available": usdc}
    assert body == {
        "as_of": "2026-11-22T10:00:00.000000Z",
        "mode": "live",
        "frozen": False,
        "cash": usd("50000.00"),
        "burn_rate_monthly": usd("10000.00"),
        "runway_days": 150,
        "gas": [],
        "bank": usd("0.00"),
        "in_flight": usd("0.00"),
        "settled_24h": usd("0.00"),
        "waiting_approvals": 1,
        "approval_limit": usd("1000.00"),
    }


async def test_an_empty_treasury_shows_unknown_as_null(
    database: Database, valkey: Redis, world: ApiWorld
) -> None:
    fresh = await create_organization(database)
    async with open_world(database, valkey, fresh, world.clock) as opened:
        body = (await opened.get("/api/dashboard")).json()
    assert body["burn_rate_monthly"] is None
    assert body["runway_days"] is None
    assert body["approval_limit"] is None
    assert body["balances"] == []


async def test_the_log_shows_each_payment_with_its_decision(world: ApiWorld) -> None:
    await world.set_up()
    small = await world.paid_for(printed("HF-1", "840.00 USDC"))
    large = await world.paid_for(printed("HF-2", "4150.00 USDC"))
    body = (await world.get("/api/dashboard/logs", most=1)).json()
    (entry,) = body["items"]
    assert (entry["payment"], entry["outcome"]) == (large, "REQUIRE_APPROVAL")
    assert "TIER_ASKS" in {finding["code"] for finding in entry["findings"]}
    following = (await world.get("/api/dashboard/logs", most=1, before=body["next"])).json()
    assert (following["items"][0]["payment"], following["items"][0]["outcome"]) == (small, "ALLOW")


async def test_the_limit_is_read_from_the_active_policy(world: ApiWorld) -> None:
    missing = await world.get("/api/settings/limit")
    assert (missing.status_code, missing.json()["code"]) == (409, "POLICY_MISSING")
    await world.set_up()
    body = (await world.get("/api/settings/limit")).json()
    assert body["limit"] == {"amount": "1000.00", "currency": "USD", "amount_minor": "100000"}
    assert body["policy_digest"] == (await world.get("/api/v1/policy")).json()["digest"]


async def test_the_first_policy_is_activated_and_the_next_one_waits(world: ApiWorld) -> None:
    yaml = NORWICK.read_text()
    assert (await world.get("/api/v1/policy")).json()["code"] == "POLICY_MISSING"
    by_cfo = await world.post("/api/v1/policy", "cfo", {"yaml": yaml, "activate": True})
    assert (by_cfo.status_code, by_cfo.json()["code"]) == (403, "PERMISSION_MISSING")
    first = await world.post("/api/v1/policy", "administrator", {"yaml": yaml, "activate": True})
    assert (first.status_code, first.json()["state"]) == (201, "active")

    stricter = yaml.replace("1000.00 USD", "500.00 USD")
    refused = await world.post(
        "/api/v1/policy", "administrator", {"yaml": stricter, "activate": True}
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "POLICY_SIGN_OFF_REQUIRED")
    draft = await world.post("/api/v1/policy", "cfo", {"yaml": stricter})
    assert (draft.status_code, draft.json()["state"]) == (201, "draft")

    active = (await world.get("/api/v1/policy")).json()
    assert {key: active[key] for key in first.json()} == first.json()
    assert active["document"]["name"] == "Norwick Instruments, supplier payments"
    assert any("1,000.00 USD" in rule for rule in active["rules"])
    versions = (await world.get("/api/v1/policy/versions", most=1)).json()
    assert (versions["items"], versions["next"]) == ([draft.json()], "2")
    older = (await world.get("/api/v1/policy/versions", before=2)).json()
    assert older == {"items": [first.json()], "next": None}
    detail = (await world.get(f"/api/v1/policy/versions/{draft.json()['id']}")).json()
    assert detail["document"]["tiers"][0]["up_to"] == "500.00 USD"
    assert (await world.get(f"/api/v1/policy/versions/{UNKNOWN}")).status_code == 404


async def test_a_faulty_policy_is_refused_with_the_place(world: ApiWorld) -> None:
    faulty = NORWICK.read_text().replace("1000.00 USD", "1e3 USD")
    answer = await world.post("/api/v1/policy", "cfo", {"yaml": faulty})
    assert (answer.status_code, answer.json()["code"]) == (422, "POLICY_INVALID")
    assert answer.json()["data"]["line"] == 23
    assert (await world.get("/api/v1/policy/versions")).json()["items"] == []


async def test_audit_events_are_for_auditors_and_the_chain_verifies(world: ApiWorld) -> None:
    await world.set_up()
    paid = await world.paid_for(printed())
    await world.services.audit.seal(world.organization.id)
    refused = await world.get("/api/v1/audit/events", "clerk")
    assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_MISSING")
    of_payment = (
        await world.get("/api/v1/audit/events", "auditor", aggregate_id=paid["id"])
    ).json()
    assert [(event["kind"], event["version"]) for event in of_payment["items"]] == [
        ("payment.approved", 2),
        ("payment.proposed", 1),
    ]
    page = (await world.get("/api/v1/audit/events", "auditor", most=3)).json()
    following = (
        await world.get("/api/v1/audit/events", "auditor", most=3, before=page["next"])
    ).json()
    cursors = [int(event["cursor"]) for event in page["items"] + following["items"]]
    assert cursors == sorted(cursors, reverse=True)
    assert len(set(cursors)) == 6

    verification = (await world.get("/api/v1/audit/verification", "auditor")).json()
    assert verification["verified"] is True
    assert verification["fault"] is None
    assert verification["sequence"] > 10
    assert verification["signed_sequence"] is None
    assert len(verification["head_hash"]) == 64
