"""From a read invoice to a payment, and back to a person: one payment a canonical invoice."""

import asyncio
import time
from uuid import UUID

import pytest
from sqlalchemy import text

from agents.intake.graph import build_intake, run_intake
from agents.intake.state import IntakeOutcome
from policy.quorum import Choice
from tests.support.agents import agent_context
from tests.support.approvals import rows
from tests.support.clock import ManualClock
from tests.support.invoices import invoice_service, printed, submit, submit_and_read
from tests.support.organization import TestOrganization
from tests.support.payees import create_world, payee_service
from tests.support.payments import ChokePoint, open_for_business
from treasurer.audit import store as audit
from treasurer.db.engine import Database
from treasurer.invoices.model import LEGAL, Invoice, InvoiceState
from treasurer.invoices.service import InvoiceService
from treasurer.kernel.errors import Conflict
from treasurer.kernel.ids import InvoiceId
from treasurer.kernel.organization import Principal
from treasurer.payments import proposable
from treasurer.payments.model import Payment, PaymentState

DEADLINE_S = 10
APPROVED_WITHOUT_PEOPLE = "840.00 USDC"
ASKS_PEOPLE = "4,150.00 USDC"


@pytest.fixture
def invoices(database: Database, clock: ManualClock) -> InvoiceService:
    return invoice_service(database, clock)


@pytest.fixture
async def choke(
    database: Database, clock: ManualClock, organization: TestOrganization
) -> ChokePoint:
    await create_world(payee_service(database, clock), organization)
    return await open_for_business(database, organization, clock)


async def twins(
    database: Database, organization: TestOrganization, invoices: InvoiceService, count: int
) -> list[Invoice]:
    """Read invoices of one payee and number, all ready: what no reading leaves, and no index forbids."""
    found = []
    for position in range(count):
        content = printed(f"HF-{position}", APPROVED_WITHOUT_PEOPLE)
        found.append(
            await submit_and_read(invoices, organization.clerk, organization.agent, content)
        )
    async with database.unit(organization.id) as connection:
        await connection.execute(
            text("UPDATE invoices SET invoice_number = 'HF-7', invoice_number_key = 'hf7'")
        )
    return found


async def events(
    database: Database, organization: TestOrganization, aggregate: UUID
) -> list[tuple[str, dict[str, object]]]:
    async with database.unit(organization.id) as connection:
        page = await audit.event_page(
            connection, organization.id, before=None, aggregate_id=aggregate, most=50
        )
    return [(row["kind"], row["payload"]) for row in reversed(page)]


async def test_of_concurrent_twins_one_is_proposed_and_nothing_of_the_others_stays(
    database: Database,
    organization: TestOrganization,
    invoices: InvoiceService,
    choke: ChokePoint,
) -> None:
    ready = await twins(database, organization, invoices, 6)
    results = await asyncio.gather(
        *(choke.payments.propose(organization.agent, invoice.id) for invoice in ready),
        return_exceptions=True,
    )
    proposed = [result for result in results if isinstance(result, Payment)]
    refused = [result for result in results if isinstance(result, Conflict)]
    assert (len(proposed), len(refused)) == (1, 5)
    assert {error.code for error in refused} == {"DUPLICATE_INVOICE"}
    assert [row["id"] for row in await rows(database, organization, "payments")] == [proposed[0].id]
    assert len(await rows(database, organization, "allocations")) == 1
    assert len(await rows(database, organization, "decisions")) == 1
    states = [row["state"] for row in await rows(database, organization, "invoices")]
    assert sorted(map(str, states)) == ["proposed", *["reading"] * 5]


async def test_a_twin_waits_for_the_first_ones_commit_and_then_conflicts(
    database: Database,
    organization: TestOrganization,
    invoices: InvoiceService,
    choke: ChokePoint,
) -> None:
    first, second = await twins(database, organization, invoices, 2)
    async with database.unit(organization.id) as connection:
        await proposable.mark_proposed(connection, organization.id, first.id)
        task = asyncio.create_task(choke.payments.propose(organization.agent, second.id))
        await _until_somebody_waits(database, organization, task)
    with pytest.raises(Conflict) as refused:
        await task
    assert refused.value.code == "DUPLICATE_INVOICE"
    assert await rows(database, organization, "payments") == []


async def test_a_twin_goes_on_when_the_first_one_rolls_back(
    database: Database,
    organization: TestOrganization,
    invoices: InvoiceService,
    choke: ChokePoint,
) -> None:
    first, second = await twins(database, organization, invoices, 2)
    with pytest.raises(ConnectionResetError):
        async with database.unit(organization.id) as connection:
            await proposable.mark_proposed(connection, organization.id, first.id)
            task = asyncio.create_task(choke.payments.propose(organization.agent, second.id))
            await _until_somebody_waits(database, organization, task)
            raise ConnectionResetError
    assert (await task).state is PaymentState.APPROVED


async def _until_somebody_waits(
    database: Database, organization: TestOrganization, task: asyncio.Task[Payment]
) -> None:
    """Until a transaction waits for another one's end, as seen from a third one."""
    deadline = time.monotonic() + DEADLINE_S
    while not task.done():
        async with database.unit(organization.id) as connection:
            waiting = await connection.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND wait_event_type = 'Lock' AND query LIKE '%SET state = ''proposed''%'"
                )
            )
            if waiting.scalar_one():
                return
        assert time.monotonic() < deadline, "nobody waited for the first twin"
    task.result()


async def test_the_intake_of_a_twin_ends_as_a_duplicate(
    database: Database,
    organization: TestOrganization,
    invoices: InvoiceService,
    choke: ChokePoint,
) -> None:
    (first,) = await twins(database, organization, invoices, 1)
    await choke.payments.propose(organization.agent, first.id)

    class Overtaken:
        """Between its reading and its proposal the invoice turns out to be the first one's twin."""

        async def propose(self, principal: Principal, invoice_id: InvoiceId) -> Payment:
            async with database.unit(organization.id) as connection:
                await connection.execute(
                    text("UPDATE invoices SET invoice_number_key = 'hf7' WHERE id = :id"),
                    {"id": invoice_id},
                )
            return await choke.payments.propose(principal, invoice_id)

    received = await submit(invoices, organization.clerk, printed("HF-900"))
    context = agent_context(organization, invoices, Overtaken())
    result = await run_intake(build_intake(), context, received.id)
    assert result.outcome is IntakeOutcome.DUPLICATE
    assert [finding.code for finding in result.invoice.findings] == ["DUPLICATE_INVOICE"]
    assert len(await rows(database, organization, "payments")) == 1


async def test_a_refused_payment_gives_its_invoice_back_to_people(
    database: Database,
    organization: TestOrganization,
    invoices: InvoiceService,
    choke: ChokePoint,
) -> None:
    invoice, payment = await _asked(organization, invoices, choke)
    await _refuse(organization, choke, payment)
    returned = await invoices.get(organization.clerk, invoice.id)
    assert returned.state is InvoiceState.NEEDS_REVIEW
    assert InvoiceState.NEEDS_REVIEW in LEGAL[InvoiceState.PROPOSED]
    assert returned.open_amount_minor == returned.payable_amount_minor == 4_150_000_000
    recorded = await events(database, organization, invoice.id)
    assert [kind for kind, _ in recorded] == [
        "invoice.received", "invoice.read", "invoice.returned"
    ]  # fmt: skip
    assert recorded[-1][1] == {
        "payment_id": str(payment.id),
        "state": "needs_review",
        "reason": "denied",
    }
    kinds = [row["kind"] for row in await rows(database, organization, "notifications")]
    assert "payment_refused" in kinds
    assert "invoice_needs_review" not in kinds


@pytest.mark.parametrize("ended", ["denied", "expired"])
@pytest.mark.parametrize("again", ["the same bytes", "another copy"])
async def test_after_its_payment_ended_an_invoice_may_be_submitted_again(
    database: Database,
    organization: TestOrganization,
    invoices: InvoiceService,
    choke: ChokePoint,
    clock: ManualClock,
    ended: str,
    again: str,
) -> None:
    _, payment = await _asked(organization, invoices, choke)
    if ended == "denied":
        await _refuse(organization, choke, payment)
    else:
        clock.advance(hours=73)
        assert await choke.approvals.expire_due(organization.id) == 1
    content = printed("HF-4101", ASKS_PEOPLE, note="" if again == "the same bytes" else "Copy")
    received = await submit(invoices, organization.clerk, content)
    context = agent_context(organization, invoices, choke.payments)
    result = await run_intake(build_intake(), context, received.id)
    assert result.outcome is IntakeOutcome.PROPOSED
    found = [row["state"] for row in await rows(database, organization, "payments")]
    assert found == [ended, "awaiting_approval"]
    (request,) = await choke.approvals.page_open(organization.approver)
    assert request.payment_id == result.payment_id
    third = await submit(invoices, organization.clerk, content)
    assert (await run_intake(build_intake(), context, third.id)).outcome is IntakeOutcome.DUPLICATE
    assert len(await rows(database, organization, "payments")) == 2


async def _asked(
    organization: TestOrganization, invoices: InvoiceService, choke: ChokePoint
) -> tuple[Invoice, Payment]:
    invoice = await submit_and_read(
        invoices, organization.clerk, organization.agent, printed("HF-4101", ASKS_PEOPLE)
    )
    payment = await choke.payments.propose(organization.agent, invoice.id)
    assert payment.state is PaymentState.AWAITING_APPROVAL
    return invoice, payment


async def _refuse(organization: TestOrganization, choke: ChokePoint, payment: Payment) -> None:
    (request,) = await choke.approvals.page_open(organization.cfo)
    await choke.approvals.vote(
        organization.cfo, request.id, Choice.REJECT, "not delivered", payment.order_digest
    )
