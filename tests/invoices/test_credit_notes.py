"""Credit notes reduce what is open, never more than that, and are never paid."""

import asyncio
import time

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from agents.intake.graph import build_intake, run_intake
from policy.quorum import Choice
from tests.support.agents import agent_context
from tests.support.approvals import rows
from tests.support.clock import ManualClock
from tests.support.invoices import invoice_reviews, invoice_service, printed, submit
from tests.support.organization import TestOrganization
from tests.support.payees import create_world, payee_service
from tests.support.payments import ChokePoint, open_for_business
from treasurer.approvals import store as approval_store
from treasurer.approvals.model import RequestState
from treasurer.db.engine import Database
from treasurer.db.jobs import JobQueue
from treasurer.invoices.model import Invoice, InvoiceKind, InvoiceState
from treasurer.kernel.errors import Conflict
from treasurer.kernel.ids import PaymentId
from treasurer.payments.model import Payment, PaymentState
from treasurer.payments.recomputing import EXPLANATION, Recomputing


def credit_note(
    number: str = "GS-1", about: str | None = "HF-4101", total: str = "140.00"
) -> bytes:
    """A UBL credit note of Halden's, in USDC."""
    reference = (
        f"<cac:BillingReference><cac:InvoiceDocumentReference><cbc:ID>{about}</cbc:ID>"
        "</cac:InvoiceDocumentReference></cac:BillingReference>"
        if about
        else ""
    )
    names = "urn:oasis:names:specification:ubl:schema:xsd:"
    return f"""<CreditNote xmlns="{names}CreditNote-2" xmlns:cac="{names}CommonAggregateComponents-2"
 xmlns:cbc="{names}CommonBasicComponents-2"><cbc:ID>{number}</cbc:ID>
<cbc:IssueDate>2026-11-21</cbc:IssueDate><cbc:CreditNoteTypeCode>381</cbc:CreditNoteTypeCode>
<cbc:DocumentCurrencyCode>USDC</cbc:DocumentCurrencyCode>{reference}
<cac:AccountingSupplierParty><cac:Party><cac:PartyLegalEntity><cbc:RegistrationName>Halden Freight AS
</cbc:RegistrationName></cac:PartyLegalEntity></cac:Party></cac:AccountingSupplierParty>
<cac:AccountingCustomerParty><cac:Party><cac:PartyLegalEntity><cbc:RegistrationName>Norwick Instruments
Ltd</cbc:RegistrationName></cac:PartyLegalEntity></cac:Party></cac:AccountingCustomerParty>
<cac:LegalMonetaryTotal><cbc:LineExtensionAmount currencyID="USDC">{total}</cbc:LineExtensionAmount>
<cbc:TaxExclusiveAmount currencyID="USDC">{total}</cbc:TaxExclusiveAmount>
<cbc:TaxInclusiveAmount currencyID="USDC">{total}</cbc:TaxInclusiveAmount>
<cbc:PayableAmount currencyID="USDC">{total}</cbc:PayableAmount></cac:LegalMonetaryTotal>
<cac:CreditNoteLine><cbc:ID>1</cbc:ID><cbc:CreditedQuantity unitCode="C62">1</cbc:CreditedQuantity>
<cbc:LineExtensionAmount currencyID="USDC">{total}</cbc:LineExtensionAmount>
<cac:Item><cbc:Name>Haulage</cbc:Name></cac:Item>
<cac:Price><cbc:PriceAmount currencyID="USDC">{total}</cbc:PriceAmount></cac:Price>
</cac:CreditNoteLine></CreditNote>""".encode()


class Desk:
    """Intake down to the payment, for one organization."""

    def __init__(
        self,
        database: Database,
        clock: ManualClock,
        organization: TestOrganization,
        choke: ChokePoint,
    ) -> None:
        self.database, self.organization, self.choke = database, organization, choke
        self.invoices = invoice_service(database, clock)
        self.reviews = invoice_reviews(database, clock)
        self.graph = build_intake()
        self.recomputing = Recomputing(
            database=database, jobs=JobQueue(), clock=clock, new_id=uuid7
        )

    async def take(self, content: bytes) -> Invoice:
        received = await submit(self.invoices, self.organization.clerk, content)
        return await self.read(received)

    async def read(self, invoice: Invoice) -> Invoice:
        context = agent_context(self.organization, self.invoices, self.choke.payments)
        result = await run_intake(self.graph, context, invoice.id)
        return result.invoice

    async def again(self, invoice: Invoice) -> Invoice:
        return await self.invoices.get(self.organization.cfo, invoice.id)

    async def payments(self, invoice: Invoice) -> list[Payment]:
        return await self.choke.payments.of_invoice(self.organization.cfo, invoice.id)

    async def settle(self, payment: Payment) -> None:
        async with self.database.unit(self.organization.id) as connection:
            for statement in (
                "UPDATE payments SET state = 'settled', next_at = NULL WHERE id = :id",
                "UPDATE allocations SET state = 'settled' WHERE payment_id = :id",
                "UPDATE invoices SET state = 'paid', open_amount_minor = 0 WHERE id IN"
                " (SELECT invoice_id FROM payments WHERE id = :id)",
            ):
                await connection.execute(text(statement), {"id": payment.id})


@pytest.fixture
async def desk(database: Database, clock: ManualClock, organization: TestOrganization) -> Desk:
    await create_world(payee_service(database, clock), organization)
    choke = await open_for_business(database, organization, clock)
    return Desk(database, clock, organization, choke)


async def test_a_credit_note_before_its_invoice_reduces_what_is_paid(desk: Desk) -> None:
    note = await desk.take(credit_note())
    assert [f.code for f in note.findings if f.severity.value != "note"] == []
    assert (note.kind, note.state) == (InvoiceKind.CREDIT_NOTE, InvoiceState.CREDITED)
    assert note.open_amount_minor == 140_000_000
    other = await desk.take(printed("HF-4100", "99.00 USDC"))
    assert (await desk.payments(other))[0].amount_minor == 99_000_000
    invoice = await desk.take(printed("HF-4101", "840.00 USDC"))
    (payment,) = await desk.payments(invoice)
    assert payment.amount_minor == 700_000_000
    assert (invoice.state, invoice.open_amount_minor) == (InvoiceState.PROPOSED, 700_000_000)
    assert (await desk.again(note)).open_amount_minor == 0


async def test_a_held_credit_note_reduces_what_is_paid_once_a_person_answered(desk: Desk) -> None:
    invoice = await desk.take(printed("HF-4101", "4150.00 USDC"))
    held = await desk.take(credit_note().replace(b"<cbc:ID>GS-1</cbc:ID>", b"", 1))
    assert (held.kind, held.state) == (InvoiceKind.CREDIT_NOTE, InvoiceState.NEEDS_REVIEW)
    clerk, why = desk.organization.clerk, "Halden named the number by phone."
    with pytest.raises(Conflict, match="MISSING_FIELD"):
        await desk.reviews.review(clerk, held.id, reason=why)
    reviewed = await desk.reviews.review(
        clerk, held.id, reason=why, accepted=["BR-02"], stated={"invoice_number": "GS-1"}
    )
    assert (reviewed.kind, reviewed.state) == (InvoiceKind.CREDIT_NOTE, InvoiceState.READING)
    credited = await desk.read(reviewed)
    assert (credited.state, credited.invoice_number) == (InvoiceState.CREDITED, "GS-1")
    await desk.recomputing.recompute(desk.organization.id, invoice.id)
    again = await desk.read(await desk.again(invoice))
    newest = max(await desk.payments(again), key=lambda payment: payment.id)
    assert newest.amount_minor == 4_010_000_000
    assert (await desk.again(credited)).open_amount_minor == 0


@pytest.mark.parametrize(
    ("total", "state"),
    [("840.00 USDC", PaymentState.APPROVED), ("4,150.00 USDC", PaymentState.AWAITING_APPROVAL)],
)
async def test_a_payment_that_waits_is_made_anew_over_what_is_left(
    desk: Desk, total: str, state: PaymentState
) -> None:
    invoice = await desk.take(printed("HF-4101", total))
    (first,) = await desk.payments(invoice)
    assert first.state is state
    await desk.take(credit_note())
    (job,) = [row for row in await _jobs(desk) if row == ("recompute_payment", str(invoice.id))]
    assert job
    assert await desk.recomputing.recompute(desk.organization.id, invoice.id) == first.id
    assert await desk.recomputing.recompute(desk.organization.id, invoice.id) is None
    await desk.read(invoice)
    second, ended = await desk.payments(invoice)
    assert (ended.id, ended.state, ended.explanation) == (
        first.id,
        PaymentState.DENIED,
        EXPLANATION,
    )
    assert (second.state, second.amount_minor) == (state, first.amount_minor - 140_000_000)
    assert second.order_digest != first.order_digest
    requests = await rows(desk.database, desk.organization, "approval_requests")
    live = [row["payment_id"] for row in requests if row["state"] == "open"]
    assert live == ([second.id] if state is PaymentState.AWAITING_APPROVAL else [])
    await _nothing_is_over_allocated(desk)


async def test_a_vote_and_a_credit_note_at_once_come_one_after_the_other(desk: Desk) -> None:
    """Each locks request and payment; in two orders the database would end one of them as a deadlock."""
    invoice = await desk.take(printed("HF-4101", "4,150.00 USDC"))
    (first,) = await desk.payments(invoice)
    organization, approvals = desk.organization, desk.choke.approvals
    (request,) = await approvals.page_open(organization.cfo)
    await desk.take(credit_note())
    async with desk.database.unit(organization.id) as connection:
        await approval_store.lock_request(connection, organization.id, request.id)
        recomputing = asyncio.create_task(desk.recomputing.recompute(organization.id, invoice.id))
        await _until_it_waits(desk, recomputing)
        closed = await approvals.cast(
            connection, organization.cfo, request.id, Choice.APPROVE, "", request.order_digest
        )
    assert closed.state is RequestState.APPROVED
    assert await recomputing == first.id
    (ended,) = await desk.payments(invoice)
    assert (ended.state, ended.explanation) == (PaymentState.DENIED, EXPLANATION)


async def _until_it_waits(desk: Desk, task: asyncio.Task[PaymentId | None]) -> None:
    deadline = time.monotonic() + 30
    while not task.done():
        async with desk.database.unit(desk.organization.id) as connection:
            waiting = await connection.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND wait_event_type = 'Lock' AND query LIKE '%approval_requests%'"
                )
            )
            if waiting.scalar_one():
                return
        assert time.monotonic() < deadline, "the credit note's job never waited for the vote"
    raise AssertionError("the credit note's job did not wait for the vote")


async def test_an_executing_payment_goes_on_and_the_credit_serves_the_next_invoice(
    desk: Desk,
) -> None:
    invoice = await desk.take(printed("HF-4101", "840.00 USDC"))
    (payment,) = await desk.payments(invoice)
    async with desk.database.unit(desk.organization.id) as connection:
        await connection.execute(text("UPDATE payments SET state = 'executing'"))
    note = await desk.take(credit_note())
    assert await desk.recomputing.recompute(desk.organization.id, invoice.id) is None
    assert (await desk.payments(invoice))[0].amount_minor == payment.amount_minor
    # While the named invoice is not closed, no other invoice takes its credit.
    unrelated = await desk.take(printed("HF-4102", "500.00 USDC"))
    assert (await desk.payments(unrelated))[0].amount_minor == 500_000_000
    await desk.settle(payment)
    following = await desk.take(printed("HF-4103", "500.00 USDC"))
    assert (await desk.payments(following))[0].amount_minor == 360_000_000
    assert (await desk.again(note)).open_amount_minor == 0


async def test_a_credit_beyond_what_is_open_closes_the_invoice_and_keeps_the_rest(
    desk: Desk,
) -> None:
    note = await desk.take(credit_note(total="1000.00"))
    invoice = await desk.take(printed("HF-4101", "840.00 USDC"))
    assert (invoice.state, invoice.open_amount_minor) == (InvoiceState.CREDITED, 0)
    assert await desk.payments(invoice) == []
    assert (await desk.again(note)).open_amount_minor == 160_000_000
    following = await desk.take(printed("HF-4102", "500.00 USDC"))
    assert (await desk.payments(following))[0].amount_minor == 340_000_000
    await _nothing_is_over_allocated(desk)


async def test_a_refused_payment_gives_its_credit_back_for_the_next_submission(desk: Desk) -> None:
    note = await desk.take(credit_note())
    invoice = await desk.take(printed("HF-4101", "4,150.00 USDC"))
    (request,) = await desk.choke.approvals.page_open(desk.organization.cfo)
    await desk.choke.approvals.vote(
        desk.organization.cfo, request.id, Choice.REJECT, "not agreed", request.order_digest
    )
    returned = await desk.again(invoice)
    assert (returned.state, returned.open_amount_minor) == (
        InvoiceState.NEEDS_REVIEW,
        4_150_000_000,
    )
    assert (await desk.again(note)).open_amount_minor == 140_000_000
    resubmitted = await desk.take(printed("HF-4101", "4,150.00 USDC", note="as agreed"))
    assert (await desk.payments(resubmitted))[0].amount_minor == 4_010_000_000


async def test_a_credit_note_is_never_proposed_and_never_taken_twice(desk: Desk) -> None:
    note = await desk.take(credit_note())
    with pytest.raises(Conflict) as refused:
        await desk.choke.payments.propose(desk.organization.agent, note.id)
    assert refused.value.code == "INVOICE_NOT_PROPOSABLE"
    again = await desk.take(credit_note() + b"\n")
    assert again.state is InvoiceState.DUPLICATE
    assert await rows(desk.database, desk.organization, "payments") == []


async def test_a_strangers_credit_note_waits_for_a_person(desk: Desk) -> None:
    forged = credit_note().replace(b"Halden Freight", b"Ha1den Freight")
    note = await desk.take(forged)
    assert note.state is InvoiceState.NEEDS_REVIEW
    invoice = await desk.take(printed("HF-4101", "840.00 USDC"))
    assert (await desk.payments(invoice))[0].amount_minor == 840_000_000


async def _jobs(desk: Desk) -> list[tuple[str, str]]:
    async with desk.database.claims() as connection:
        found = await connection.execute(
            text(
                "SELECT task_name, args->>'invoice_id' FROM procrastinate_jobs"
                " WHERE args->>'organization_id' = :id"
            ),
            {"id": str(desk.organization.id)},
        )
        return [(row[0], row[1]) for row in found]


async def _nothing_is_over_allocated(desk: Desk) -> None:
    """I17, with credit: live and settled allocations stay within what the invoice asked for."""
    async with desk.database.unit(desk.organization.id) as connection:
        over = await connection.execute(
            text("""
                SELECT i.invoice_number FROM invoices i WHERE i.kind = 'invoice'
                  AND coalesce((SELECT sum(a.amount_minor) FROM allocations a
                                WHERE a.invoice_id = i.id AND a.state <> 'released'), 0)
                    + coalesce((SELECT sum(c.amount_minor) FROM credit_allocations c
                                WHERE c.invoice_id = i.id AND c.state <> 'released'), 0)
                    > i.payable_amount_minor
            """)
        )
        assert over.all() == []
