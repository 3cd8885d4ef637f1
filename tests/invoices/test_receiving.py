"""A group of documents is stored as if they had come one after the other (I15), or not at all."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from uuid_utils.compat import uuid7

from tests.support.clock import ManualClock
from tests.support.invoices import invoice_service
from tests.support.organization import TestOrganization, create_organization
from treasurer.db.engine import Database
from treasurer.db.jobs import JobArgument, JobQueue
from treasurer.db.pipeline import Executes
from treasurer.documents.limits import Limits
from treasurer.identity.idempotency import IdempotencyClaim, claim_for
from treasurer.invoices.model import Invoice, InvoiceState
from treasurer.invoices.receiving import Outcome, Receiving, Submission
from treasurer.invoices.submission import submitted_document
from treasurer.kernel.errors import Conflict, InvalidInput
from treasurer.kernel.ids import InvoiceId

ROUTE = "POST /api/v1/invoices"


@pytest.fixture
def receiving(database: Database, clock: ManualClock) -> Receiving:
    return Receiving(database=database, jobs=JobQueue(), clock=clock, new_id=uuid7)


def claim(organization: TestOrganization, content: bytes, key: str) -> IdempotencyClaim:
    return claim_for(organization.clerk, route=ROUTE, key=key, fields={}, blobs=[content])


def submission(
    organization: TestOrganization, content: bytes, key: str | None = None
) -> Submission:
    return Submission(
        InvoiceId(uuid7()),
        submitted_document(content, filename="a.txt", media_type="text/plain", limits=Limits()),
        "api",
        organization.clerk.user_id,
        claim(organization, content, key) if key else None,
    )


def brief(outcome: Outcome) -> tuple[object, ...]:
    """What a caller can tell: whose invoice, which invoice it repeats; or why not."""
    if isinstance(outcome, Invoice):
        assert outcome.state is InvoiceState.RECEIVED
        return (outcome.id, *[(f.code, f.other_invoice_id) for f in outcome.findings])
    return (type(outcome), outcome.code)


@dataclass
class OneByOne:
    """What the same submissions come to when each waits for the one before."""

    keys: dict[str, tuple[bytes, InvoiceId]] = field(default_factory=dict)
    stored: dict[InvoiceId, tuple[object, ...]] = field(default_factory=dict)
    first: dict[bytes, InvoiceId] = field(default_factory=dict)

    def receive(self, sent: Submission) -> tuple[object, ...]:
        if sent.claim is not None:
            request_hash, id_ = self.keys.setdefault(
                sent.claim.key, (sent.claim.request_hash, sent.invoice_id)
            )
            if request_hash != sent.claim.request_hash:
                return InvalidInput, "IDEMPOTENCY_MISMATCH"
            if id_ in self.stored:
                return self.stored[id_]
        seen = self.first.get(sent.document.sha256)
        self.first.setdefault(sent.document.sha256, sent.invoice_id)
        self.stored[sent.invoice_id] = (
            sent.invoice_id,
            *([("DOCUMENT_SEEN_BEFORE", seen)] if seen else []),
        )
        return self.stored[sent.invoice_id]


async def trail(database: Database, organization: TestOrganization) -> list[tuple[Any, ...]]:
    """Invoices with their versions and unsealed events, and documents: all that a group writes."""
    async with database.unit(organization.id) as connection:
        rows = await connection.execute(
            text(
                "SELECT i.id, a.version, a.kind, u.event_id IS NOT NULL,"
                " d.content IS NOT NULL FROM invoices i"
                " LEFT JOIN audit_events a ON a.aggregate_id = i.id"
                " LEFT JOIN audit_unsealed u ON u.event_id = a.id"
                " LEFT JOIN documents d ON d.sha256 = i.document_sha256 ORDER BY i.id"
            )
        )
        return [tuple(row) for row in rows]


async def jobs(database: Database, organization: TestOrganization) -> list[str]:
    async with database.claims() as connection:
        rows = await connection.execute(
            text(
                "SELECT args->>'invoice_id' FROM procrastinate_jobs"
                " WHERE args->>'organization_id' = :id AND task_name = 'read_invoice' ORDER BY 1"
            ),
            {"id": str(organization.id)},
        )
        return [row[0] for row in rows]


async def test_every_group_is_as_one_after_the_other(
    receiving: Receiving, database: Database
) -> None:
    sent = st.tuples(st.sampled_from([b"x", b"y", b"z"]), st.sampled_from([None, "k-1", "k-2"]))
    runner = asyncio.get_running_loop()

    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(st.lists(st.lists(sent, min_size=1, max_size=7), min_size=1, max_size=2))
    def groups(case: list[list[tuple[bytes, str | None]]]) -> None:
        asyncio.run_coroutine_threadsafe(check(case), runner).result(30)

    async def check(case: list[list[tuple[bytes, str | None]]]) -> None:
        organization, expected = await create_organization(database), OneByOne()
        for group in case:
            submissions = [submission(organization, content, key) for content, key in group]
            outcomes = await receiving.store(organization.id, submissions)
            assert [brief(outcome) for outcome in outcomes] == [
                expected.receive(each) for each in submissions
            ]
        ids = sorted(expected.stored)
        assert await trail(database, organization) == [
            (id_, 1, "invoice.received", True, True) for id_ in ids
        ]
        assert await jobs(database, organization) == [str(id_) for id_ in ids]

    await asyncio.to_thread(groups)


async def test_a_rejected_invoice_does_not_count_as_seen(
    receiving: Receiving, database: Database, organization: TestOrganization
) -> None:
    first, second, third = (submission(organization, b"same") for _ in range(3))
    await receiving.store(organization.id, [first])
    async with database.unit(organization.id) as connection:
        await connection.execute(text("UPDATE invoices SET state = 'rejected'"))
    outcomes = await receiving.store(organization.id, [second, third])
    assert [brief(outcome) for outcome in outcomes] == [
        (second.invoice_id,),
        (third.invoice_id, ("DOCUMENT_SEEN_BEFORE", second.invoice_id)),
    ]


async def test_a_key_in_progress_elsewhere_stops_its_own_request_only(
    receiving: Receiving, database: Database, clock: ManualClock, organization: TestOrganization
) -> None:
    held = submission(organization, b"held", "k-1")
    sent = [submission(organization, b"free", "k-2"), held, submission(organization, b"bare")]

    class Meanwhile(JobQueue):
        """Lets another process receive what has the key, while the first transaction is open."""

        outcomes: Sequence[Outcome] = ()

        async def defer_many(
            self,
            connection: Executes,
            name: str,
            arguments: Sequence[Mapping[str, JobArgument]],
        ) -> None:
            await super().defer_many(connection, name, arguments)
            self.outcomes = await receiving.store(organization.id, sent)

    queue = Meanwhile()
    slow = Receiving(database=database, jobs=queue, clock=clock, new_id=uuid7)
    first = submission(organization, b"held", "k-1")
    async with asyncio.timeout(20):
        (stored,) = await slow.store(organization.id, [first])
    assert [brief(outcome) for outcome in queue.outcomes] == [
        (sent[0].invoice_id,),
        (Conflict, "IDEMPOTENCY_IN_PROGRESS"),
        (sent[2].invoice_id,),
    ]
    (again,) = await receiving.store(organization.id, [held])
    assert brief(again) == brief(stored) == (first.invoice_id,)


class Poisoned(JobQueue):
    """A queue that the database refuses for the documents of one organization that say so."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.poison: set[str] = set()
        self.groups: list[int] = []

    async def defer_many(
        self, connection: Executes, name: str, arguments: Sequence[Mapping[str, JobArgument]]
    ) -> None:
        self.groups.append(len(arguments))
        await super().defer_many(connection, name, arguments)
        if self.poison & {str(each["invoice_id"]) for each in arguments}:
            await connection.execute(text("SELECT 1 / :zero"), {"zero": 0})


async def test_a_failure_in_the_middle_fails_one_and_keeps_its_neighbours(
    database: Database, clock: ManualClock, organization: TestOrganization
) -> None:
    queue = Poisoned(database)
    ids = [uuid7() for _ in range(40)]
    made = iter(ids)
    invoices = invoice_service(database, clock, jobs=queue, new_id=lambda: next(made))
    queue.poison = {str(ids[2])}

    async def send(number: int) -> Invoice:
        content = f"document {number}".encode()
        return await invoices.receive(
            organization.clerk,
            content=content,
            filename=None,
            media_type="text/plain",
            channel="api",
            idempotency=claim(organization, content, f"k-{number}"),
        )

    outcomes = await asyncio.gather(*(send(n) for n in range(5)), return_exceptions=True)
    assert queue.groups == [5, 1, 1, 1, 1, 1]
    assert [isinstance(each, Exception) for each in outcomes] == [False, False, True, False, False]
    kept = sorted(ids[place] for place in (0, 1, 3, 4))
    assert await trail(database, organization) == [
        (id_, 1, "invoice.received", True, True) for id_ in kept
    ]
    assert await jobs(database, organization) == [str(id_) for id_ in kept]
    queue.poison = set()
    again = await send(2)  # its key is free: a 5xx leaves no claim
    assert again.id not in ids[:5]
    assert (await send(3)).id == ids[3]


async def test_organizations_share_neither_keys_nor_documents(
    database: Database, clock: ManualClock, organization: TestOrganization
) -> None:
    other = await create_organization(database)
    invoices = invoice_service(database, clock)

    async def send(whose: TestOrganization) -> Invoice:
        return await invoices.receive(
            whose.clerk,
            content=b"the same",
            filename=None,
            media_type=None,
            channel="api",
            idempotency=claim(whose, b"the same", "k-1"),
        )

    sent = await asyncio.gather(*(send(whose) for whose in (organization, other) * 3))
    assert {invoice.id for invoice in sent[::2]} == {sent[0].id}
    assert {invoice.id for invoice in sent[1::2]} == {sent[1].id}
    assert [invoice.findings for invoice in sent] == [()] * 6
    for whose, first in ((organization, sent[0]), (other, sent[1])):
        assert [row[0] for row in await trail(database, whose)] == [first.id]


async def test_a_caller_that_goes_away_loses_nothing_and_doubles_nothing(
    database: Database, clock: ManualClock, organization: TestOrganization
) -> None:
    invoices = invoice_service(database, clock)

    async def send(content: bytes) -> Invoice:
        return await invoices.receive(
            organization.clerk,
            content=content,
            filename=None,
            media_type=None,
            channel="api",
            idempotency=claim(organization, content, content.decode()),
        )

    calls = [asyncio.create_task(send(content)) for content in (b"a", b"b", b"c")]
    await asyncio.sleep(0)
    calls[0].cancel()
    calls[1].cancel()
    stayed = await calls[2]
    await invoices.drain()
    again = [await send(content) for content in (b"a", b"b", b"c")]
    assert again[2] == stayed
    assert [row[0] for row in await trail(database, organization)] == sorted(i.id for i in again)
    assert len({invoice.id for invoice in again}) == 3
