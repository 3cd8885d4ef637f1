"""Invoices over REST: both forms of submission, idempotency, reading back, other organizations."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from redis.asyncio import Redis

from tests.support.api import ApiWorld, open_world
from tests.support.invoices import invoice_service, printed
from tests.support.organization import create_organization
from treasurer.db.engine import Database
from treasurer.db.jobs import JobArgument, JobQueue
from treasurer.db.pipeline import Executes
from treasurer.invoices.joining import Bounds
from treasurer.kernel.ids import InvoiceId

PATH = "/api/v1/invoices"


async def test_a_submitted_invoice_is_accepted_and_can_be_followed(world: ApiWorld) -> None:
    content = printed()
    answer = await world.submit(content)
    body = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"{PATH}/{body['id']}"
    assert body == {
        "id": body["id"],
        "state": "received",
        "channel": "api",
        "document_sha256": hashlib.sha256(content).hexdigest(),
        "media_type": "text/plain",
        "filename": None,
        "submitted_by": str(world.organization.clerk.user_id),
        "received_at": "2026-11-22T10:00:00.000000Z",
        "findings": [],
        "payee": None,
        "invoice_number": None,
        "issue_date": None,
        "due_date": None,
        "payable_amount": None,
        "open_amount": None,
        "kind": "invoice",
        "purchase_state": None,
    }
    followed = await world.get(answer.headers["location"])
    assert followed.json() == {**body, "reading": None, "reviews": []}


async def test_a_read_invoice_shows_its_fields_with_evidence(world: ApiWorld) -> None:
    payees = await world.set_up()
    submitted = (await world.submit(printed("HF-4101", "840.00 USDC"))).json()
    await world.read_and_propose(InvoiceId(UUID(submitted["id"])))
    body = (await world.get(f"{PATH}/{submitted['id']}")).json()
    amount = {"amount": "840.000000", "currency": "USDC", "amount_minor": "840000000"}
    assert body["state"] == "proposed"
    assert body["invoice_number"] == "HF-4101"
    assert (body["payable_amount"], body["open_amount"]) == (amount, amount)
    assert body["payee"] == {
        "id": str(payees["V-001"].id),
        "code": "V-001",
        "name": "Halden Freight AS",
    }
    assert body["reading"]["outcome"] == "accepted"
    assert body["reading"]["fields"]["payable_amount"] == "840.00"
    assert body["reading"]["evidence"]["payable_amount"]["text"]


async def test_a_form_and_a_body_are_the_same_document(world: ApiWorld) -> None:
    content = printed()
    bearer = await world.bearer("clerk")
    form = await world.client.post(
        PATH, headers=bearer, files={"file": ("halden.txt", content, "text/plain")}
    )
    body = await world.client.post(
        PATH,
        headers={**bearer, "Content-Type": "text/plain"},
        params={"filename": "halden.txt"},
        content=content,
    )
    for answer in (form, body):
        assert answer.status_code == 202
        assert answer.json()["filename"] == "halden.txt"
        assert answer.json()["media_type"] == "text/plain"
        assert answer.json()["document_sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"other": ("a.txt", b"x", "text/plain")}, "FILE_MISSING"),
        ({"file": ("a.txt", b"", "text/plain")}, "DOCUMENT_EMPTY"),
    ],
)
async def test_a_form_without_a_document_is_refused(
    world: ApiWorld, files: dict[str, tuple[str, bytes, str]], code: str
) -> None:
    answer = await world.client.post(PATH, headers=await world.bearer("clerk"), files=files)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_broken_form_is_refused(world: ApiWorld) -> None:
    headers = {
        **await world.bearer("clerk"),
        "Content-Type": "multipart/form-data; boundary=x",
    }
    answer = await world.client.post(PATH, headers=headers, content=b"--y\r\nnonsense")
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_two_files_at_once_are_refused(world: ApiWorld) -> None:
    answer = await world.client.post(
        PATH,
        headers=await world.bearer("clerk"),
        files=[("file", ("a.txt", b"a", "text/plain")), ("file", ("b.txt", b"b", "text/plain"))],
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "BODY_UNREADABLE")


async def test_an_empty_body_stores_nothing(world: ApiWorld) -> None:
    answer = await world.submit(b" \n")
    assert (answer.status_code, answer.json()["code"]) == (422, "DOCUMENT_EMPTY")
    assert (await world.get(PATH)).json() == {"items": [], "next": None}


async def test_a_key_answers_with_the_first_invoice_as_it_stands_now(world: ApiWorld) -> None:
    await world.set_up()
    first = await world.submit(printed(), key="k-1")
    again = await world.submit(printed(), key="k-1")
    assert (again.status_code, again.json()) == (202, first.json())
    await world.read_and_propose(InvoiceId(UUID(first.json()["id"])))
    later = await world.submit(printed(), key="k-1")
    assert later.status_code == 202
    assert (later.json()["id"], later.json()["state"]) == (first.json()["id"], "proposed")
    assert len((await world.get(PATH)).json()["items"]) == 1


async def test_a_key_with_another_document_is_refused(world: ApiWorld) -> None:
    await world.submit(printed(), key="k-1")
    other = await world.submit(printed(total="8400.00 USDC"), key="k-1")
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_MISMATCH")
    assert len((await world.get(PATH)).json()["items"]) == 1


async def test_a_key_is_apart_for_each_door(world: ApiWorld) -> None:
    first = await world.submit(printed(), key="k-1")
    other = await world.submit(printed(), key="k-1", path="/api/process-invoice")
    assert other.status_code == 202
    assert other.json()["invoice"]["id"] != first.json()["id"]


async def test_a_refused_request_leaves_its_key_free(world: ApiWorld) -> None:
    assert (await world.submit(b" ", key="k-1")).status_code == 422
    assert (await world.submit(printed(), key="k-1")).status_code == 202


async def test_of_many_requests_at_once_one_makes_an_invoice(world: ApiWorld) -> None:
    answers = await asyncio.gather(*(world.submit(printed(), key="k-1") for _ in range(12)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {
        "IDEMPOTENCY_IN_PROGRESS"
    }
    ids = {answer.json()["id"] for answer in answers if answer.status_code == 202}
    assert len(ids) == 1
    assert [item["id"] for item in (await world.get(PATH)).json()["items"]] == list(ids)


async def test_above_what_can_wait_a_submission_is_told_when_to_come_again(
    world: ApiWorld, database: Database
) -> None:
    queue = Held()
    narrow = invoice_service(database, world.clock, jobs=queue, bounds=Bounds(waiting_items=1))
    world.app.state.services = replace(world.services, invoices=narrow)
    first = asyncio.create_task(world.submit(printed("HF-1")))
    await queue.reached.wait()
    refused = await world.submit(printed("HF-2"), key="k-2")
    assert (refused.status_code, refused.json()["code"]) == (503, "INTAKE_FULL")
    assert refused.headers["retry-after"] == "1"
    assert not first.done()
    queue.released.set()
    accepted = [await first, await world.submit(printed("HF-2"), key="k-2")]
    assert [answer.status_code for answer in accepted] == [202, 202]
    stored = (await world.get(PATH)).json()["items"]
    assert [item["id"] for item in reversed(stored)] == [each.json()["id"] for each in accepted]


class Held(JobQueue):
    """A queue at which a group waits until it is released."""

    def __init__(self) -> None:
        self.reached, self.released = asyncio.Event(), asyncio.Event()

    async def defer_many(
        self, connection: Executes, name: str, arguments: Sequence[Mapping[str, JobArgument]]
    ) -> None:
        self.reached.set()
        await self.released.wait()
        await super().defer_many(connection, name, arguments)


@pytest.mark.parametrize("query", ["", "?filename=a.txt", "?unknown=1"])
async def test_with_and_without_a_query_a_submission_asks_for_the_same(
    world: ApiWorld, query: str
) -> None:
    headers = {"Content-Type": "text/plain", "Idempotency-Key": "k-1"}
    answers = [
        await world.client.post(f"{PATH}{query}", content=printed(), headers=headers | whose)
        for whose in ({}, await world.bearer("auditor"), await world.bearer("clerk"))
    ]
    assert [answer.status_code for answer in answers] == [401, 403, 202]
    again = await world.client.post(
        f"{PATH}{query}", content=b"other", headers=headers | await world.bearer("clerk")
    )
    assert (again.status_code, again.json()["code"]) == (422, "IDEMPOTENCY_MISMATCH")
    assert answers[2].headers["location"] == f"{PATH}/{answers[2].json()['id']}"


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_a_malformed_key_is_refused(world: ApiWorld, key: str) -> None:
    answer = await world.submit(printed(), key=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_SYNTAX")


async def test_pages_are_keyset_and_newest_first(world: ApiWorld) -> None:
    ids = [(await world.submit(printed(f"HF-{n}"))).json()["id"] for n in range(5)]
    first = (await world.get(PATH, most=2)).json()
    second = (await world.get(PATH, most=2, before=first["next"])).json()
    third = (await world.get(PATH, most=2, before=second["next"])).json()
    assert [[item["id"] for item in page["items"]] for page in (first, second, third)] == [
        ids[:2:-1],
        ids[2:0:-1],
        ids[:1],
    ]
    assert (first["next"], second["next"], third["next"]) == (ids[3], ids[1], None)


async def test_the_document_is_given_back_to_be_saved(world: ApiWorld) -> None:
    content = b"<script>alert(1)</script> INVOICE"
    submitted = await world.client.post(
        PATH,
        headers={**await world.bearer("clerk"), "Content-Type": "text/html"},
        params={"filename": 'rech"nung\r\nX-Evil: 1.html'},
        content=content,
    )
    answer = await world.get(f"{PATH}/{submitted.json()['id']}/document")
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''rech%22nungX-Evil%3A%201.html"
    )
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; frame-ancestors 'self'; sandbox"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "x-evil" not in answer.headers


async def test_another_organizations_invoice_does_not_exist(
    world: ApiWorld, database: Database, valkey: Redis
) -> None:
    submitted = (await world.submit(printed())).json()
    other = await create_organization(database)
    async with open_world(database, valkey, other, world.clock) as stranger:
        for path in (f"{PATH}/{submitted['id']}", f"{PATH}/{submitted['id']}/document"):
            answer = await stranger.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "INVOICE_NOT_FOUND")
        assert (await stranger.get(PATH)).json() == {"items": [], "next": None}
        assert (await stranger.get(PATH, before=submitted["id"])).json()["items"] == []
