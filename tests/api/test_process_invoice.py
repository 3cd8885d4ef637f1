"""The one-call door: what each outcome is answered, and that it waits no longer than it says."""

from dataclasses import replace

import pytest
from redis.asyncio import Redis

from tests.support.api import ApiWorld, open_world
from tests.support.clock import ManualClock
from tests.support.invoices import printed
from tests.support.organization import TestOrganization
from treasurer.db.engine import Database

PATH = "/api/process-invoice"
FOREIGN = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"


@pytest.fixture
async def patient(
    database: Database, valkey: Redis, organization: TestOrganization, clock: ManualClock
) -> object:
    """Waits long enough for a reading on a busy machine."""
    async with open_world(database, valkey, organization, clock) as world:
        settings = replace(world.services.settings, process_wait_s=30)
        async with open_world(database, valkey, organization, clock, settings=settings) as opened:
            yield opened


@pytest.mark.parametrize(
    ("content", "code", "status", "findings"),
    [
        (printed("HF-1", "840.00 USDC"), 200, "approved", set()),
        (printed("HF-2", "1000.00 USDC"), 200, "approved", set()),
        (printed("HF-3", "1000.01 USDC"), 202, "awaiting_approval", {"TIER_ASKS"}),
        (printed("HF-4", "25000.01 USDC"), 403, "denied", {"PAYMENT_LIMIT", "LIMIT_24H"}),
        (
            printed("HF-5", seller="Tarnvik Signage AB", address=FOREIGN),
            202,
            "needs_review",
            {"UNKNOWN_PAYEE"},
        ),
        (printed("HF-6", address=FOREIGN), 202, "needs_review", {"PAYEE_ADDRESS_MISMATCH"}),
        (b"%PDF-1.7 broken", 422, "unreadable", {"PDF_BROKEN"}),
    ],
    ids=["small", "at the limit", "above it", "too much", "stranger", "other address", "broken"],
)
async def test_each_outcome_has_its_answer(
    patient: ApiWorld, content: bytes, code: int, status: str, findings: set[str]
) -> None:
    await patient.set_up()
    async with patient.working():
        answer = await patient.submit(content, path=PATH)
    body = answer.json()
    assert (answer.status_code, body["status"]) == (code, status), body
    assert findings <= {finding["code"] for finding in body["findings"]}, body["findings"]
    assert answer.headers["location"] == f"/api/v1/invoices/{body['invoice']['id']}"
    assert (body["payment"] is None) == (status in ("needs_review", "unreadable"))


async def test_a_denial_says_why_and_what_would_change_it(patient: ApiWorld) -> None:
    await patient.set_up()
    async with patient.working():
        body = (await patient.submit(printed(total="25000.01 USDC"), path=PATH)).json()
    assert body["payment"]["state"] == "denied"
    (finding,) = (each for each in body["findings"] if each["code"] == "PAYMENT_LIMIT")
    assert finding["outcome"] == "DENY"
    assert finding["numbers"]["limit_minor"] == "2500000"
    assert finding["numbers"]["amount_minor"] == "2500001"


async def test_the_same_invoice_again_is_denied_as_a_duplicate(patient: ApiWorld) -> None:
    await patient.set_up()
    async with patient.working():
        first = (await patient.submit(printed(), path=PATH)).json()
        again = await patient.submit(printed(note="copy"), path=PATH)
    assert (again.status_code, again.json()["status"]) == (403, "denied")
    assert again.json()["invoice"]["state"] == "duplicate"
    assert first["invoice"]["id"] in {
        finding["other_invoice_id"] for finding in again.json()["findings"]
    }


async def test_without_a_worker_the_answer_is_to_ask_again(world: ApiWorld) -> None:
    answer = await world.submit(printed(), path=PATH)
    assert (answer.status_code, answer.json()["status"]) == (202, "processing")
    assert answer.json()["invoice"]["state"] == "received"
    assert answer.json()["payment"] is None


async def test_a_key_answers_with_what_became_of_the_first(patient: ApiWorld) -> None:
    await patient.set_up()
    async with patient.working():
        first = await patient.submit(printed(), path=PATH, key="k-1")
        again = await patient.submit(printed(), path=PATH, key="k-1")
    told = [
        (answer.status_code, answer.json()["invoice"]["id"], answer.json()["payment"]["id"])
        for answer in (first, again)
    ]
    # The payment goes on meanwhile, and each answer tells how far it is.
    assert told[0] == told[1]


async def test_nobody_without_the_permission_submits(world: ApiWorld) -> None:
    answer = await world.post(PATH, "approver", {"invoice_number": "HF-1"})
    assert (answer.status_code, answer.json()["code"]) == (403, "PERMISSION_MISSING")
    assert (await world.get("/api/v1/invoices")).json()["items"] == []
