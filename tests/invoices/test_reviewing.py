"""A person answers what holds an invoice: what that may lift, what never, and who may then approve."""

from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from policy.quorum import Choice
from tests.support.approvals import rows
from tests.support.invoices import (
    invoice_reviews,
    invoice_service,
    printed,
    read,
    submit_and_read,
)
from tests.support.payees import create_payee, payee_service
from tests.support.payments import open_for_business
from treasurer.documents.reading import Finding, Outcome, Severity
from treasurer.invoices.model import InvoiceFinding, InvoiceState
from treasurer.invoices.review import Answers, checked_accepted
from treasurer.kernel.errors import Conflict, InvalidInput, NotPermitted
from treasurer.notifications import store as mails
from treasurer.notifications.contents import gather
from treasurer.notifications.mail import MailRenderer
from treasurer.notifications.model import ApprovalQuestion, NotificationId
from treasurer.payments.model import PaymentState
from treasurer.purchases.imports import ORDER_COLUMNS, csv_rows, orders_of
from treasurer.purchases.service import PurchaseService

ADDRESS = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
ORDERS = (
    b"order,payee_code,currency,line,name,quantity,net_amount,receipt_required\n"
    b"PO-7781,V-001,USDC,1,Haulage,10,500.00,no\n"
)
WHY = "The carrier billed the detour that we agreed on by phone."


EVERYTHING = {
    "invoice_number": "HF-1",
    "payable_amount": "140.00",
    "currency": "USDC",
    "payee_code": "V-001",
}


class World:
    def __init__(self, database, clock, organization) -> None:
        self.database, self.clock, self.organization = database, clock, organization
        self.invoices = invoice_service(database, clock)
        self.reviews = invoice_reviews(database, clock)
        self.purchases = PurchaseService(database=database, clock=clock, new_id=uuid7)

    async def taken(self, content, *findings):
        """Submitted by the clerk and read by the rules, with further findings of the reading."""
        invoice = await self.invoices.receive(
            self.organization.clerk,
            content=content,
            filename=None,
            media_type=None,
            channel="api",
        )
        return await self.read_again(invoice.id, content, *findings)

    async def read_again(self, invoice_id, content, *findings):
        reading = read(content)
        if findings:
            outcome = Outcome.REVIEW if reading.outcome is Outcome.ACCEPTED else reading.outcome
            reading = replace(reading, outcome=outcome, findings=(*reading.findings, *findings))
        return await self.invoices.record_reading(
            self.organization.agent, invoice_id, reading, read_by="rules"
        )

    async def jobs(self, invoice_id) -> int:
        async with self.database.claims() as connection:
            found = await connection.exec_driver_sql(
                "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'read_invoice'"
                f" AND args ->> 'invoice_id' = '{UUID(str(invoice_id))}'"
            )
            return int(found.scalar_one())


@pytest.fixture
async def world(database, clock, organization) -> World:
    opened = World(database, clock, organization)
    await create_payee(
        payee_service(database, clock), organization, "V-001", "Halden Freight AS", ADDRESS
    )
    await opened.purchases.import_orders(
        organization.clerk, orders_of(csv_rows(ORDERS, ORDER_COLUMNS))
    )
    return opened


def review_finding(code: str, field: str | None = None) -> Finding:
    return Finding(code, "a test's own", field, Severity.REVIEW)


async def test_an_accepted_difference_is_paid_by_two_others_alone(world, organization) -> None:
    choke = await open_for_business(world.database, organization, world.clock)
    content = printed("HF-1", "840.00 USDC")
    held = await world.taken(content)
    assert held.state is InvoiceState.NEEDS_REVIEW
    assert [finding.code for finding in held.findings] == ["PO_OVER"]
    with pytest.raises(Conflict) as refused:
        await choke.payments.propose(organization.agent, held.id)
    assert refused.value.code == "INVOICE_NOT_PROPOSABLE"

    reviewed = await world.reviews.review(
        organization.cfo, held.id, reason=f" {WHY} ", accepted=["PO_OVER"]
    )
    assert (reviewed.state, await world.jobs(held.id)) == (InvoiceState.READING, 2)
    # The job reads the document again, and the answer still holds.
    again = await world.read_again(held.id, content)
    assert again.state is InvoiceState.READING
    assert [(f.code, f.severity) for f in again.findings] == [("PO_OVER", Severity.NOTE)]

    payment = await choke.payments.propose(organization.agent, held.id)
    # 840.00 would be paid without asking; the person who vouched for it is its maker.
    assert payment.state is PaymentState.AWAITING_APPROVAL
    assert payment.initiator_id == organization.cfo.user_id
    request = await choke.approvals.newest(organization.cfo, payment.id)
    assert request is not None
    assert [(g.roles, g.count) for g in request.requirement.groups] == [(("approver", "cfo"), 2)]
    assert request.barred == {organization.cfo.user_id, organization.clerk.user_id}
    async with world.database.unit(organization.id) as connection:
        mail = await connection.execute(
            text("SELECT id FROM notifications WHERE kind = 'approval_requested' LIMIT 1")
        )
        told = await mails.get(connection, organization.id, NotificationId(mail.scalar_one()))
        assert told is not None
        question = await gather(connection, told, world.clock())
    assert isinstance(question, ApprovalQuestion)
    words = MailRenderer().render(told.kind, question, link="https://treasurer.test/approve/x")
    for body in (words.text, words.html):
        assert f"Cfo lets it go on: {WHY}" in body
        assert "answers for PO_OVER" in body
    vote = (request.id, Choice.APPROVE, "", payment.order_digest)
    with pytest.raises(NotPermitted) as barred:
        await choke.approvals.vote(organization.cfo, *vote)
    assert barred.value.code == "MAKER_IS_CHECKER"
    await choke.approvals.vote(organization.approver, *vote)
    still = await choke.payments.get(organization.cfo, payment.id)
    assert still.state is PaymentState.AWAITING_APPROVAL
    await choke.approvals.vote(organization.second_approver, *vote)
    passed = await choke.payments.get(organization.cfo, payment.id)
    assert passed.state is PaymentState.APPROVED

    (stored,) = await world.reviews.of_invoice(organization.auditor, held.id)
    assert (stored.reason, stored.accepted, stored.reviewer_id) == (
        WHY,
        ("PO_OVER",),
        organization.cfo.user_id,
    )
    events = await rows(world.database, organization, "audit_events")
    reviewed_events = [event for event in events if event["kind"] == "invoice.reviewed"]
    assert [(e["actor_id"], e["payload"]["reason"]) for e in reviewed_events] == [
        (organization.cfo.user_id, WHY)
    ]
    assert reviewed_events[0]["payload"]["accepted"] == ["PO_OVER"]


async def test_another_difference_than_the_accepted_one_holds_again(world, organization) -> None:
    content = printed("HF-1", "840.00 USDC")
    held = await world.taken(content)
    await world.reviews.review(organization.clerk, held.id, reason=WHY, accepted=["PO_OVER"])
    await world.purchases.close(organization.clerk, "PO-7781")
    again = await world.read_again(held.id, content)
    assert again.state is InvoiceState.NEEDS_REVIEW
    assert [(f.code, f.severity) for f in again.findings] == [("PO_CLOSED", Severity.REVIEW)]


async def test_a_stated_field_stands_beside_what_was_read(world, organization) -> None:
    choke = await open_for_business(world.database, organization, world.clock)
    doubt = review_finding("READERS_DISAGREE", "payable_amount")
    content = printed("HF-1", "140.00 USDC")
    held = await world.taken(content, doubt)
    assert held.state is InvoiceState.NEEDS_REVIEW
    with pytest.raises(Conflict) as incomplete:
        await world.reviews.review(
            organization.clerk, held.id, reason=WHY, stated={"due_date": "2026-12-24"}
        )
    assert incomplete.value.code == "REVIEW_INCOMPLETE"
    assert incomplete.value.data == {"held_by": "READERS_DISAGREE"}
    # All or nothing: what was refused left no trace.
    assert await world.reviews.of_invoice(organization.clerk, held.id) == []

    await world.reviews.review(
        organization.clerk,
        held.id,
        reason=WHY,
        stated={"payable_amount": "410.00", "due_date": "2026-12-10"},
    )
    again = await world.read_again(held.id, content, doubt)
    assert (again.state, again.payable_amount_minor) == (InvoiceState.READING, 410_000_000)
    reading = await world.invoices.reading(organization.clerk, held.id)
    assert reading is not None
    assert reading["fields"]["payable_amount"] == "140.00"
    assert reading["evidence"]["payable_amount"]["text"] == "Total due: 140.00 USDC"
    (stored,) = await world.reviews.of_invoice(organization.clerk, held.id)
    assert [(s.field, s.read, s.stated) for s in stored.statements] == [
        ("due_date", "2026-12-10", "2026-12-10"),
        ("payable_amount", "140.00", "410.00"),
    ]
    payment = await choke.payments.propose(organization.agent, held.id)
    # It lies in the tier without asking, and still another person looks.
    assert (payment.amount_minor, payment.state) == (410_000_000, PaymentState.AWAITING_APPROVAL)


@pytest.mark.parametrize(
    "code",
    [
        *("HIDDEN_TEXT", "BIDI_CONTROL", "INVISIBLE_UNICODE", "MIXED_SCRIPTS", "HYBRID_MISMATCH"),
        *("ADDRESS_POISONING", "LOOKALIKE_DOMAIN", "LOOKALIKE_PAYEE", "PAYEE_IBAN_MISMATCH"),
        *("MULTIPLE_IBANS", "IBAN_MASKED", "MULTIPLE_PAYABLE_AMOUNTS", "DUPLICATE_INVOICE"),
        *("PAYEE_ADDRESS_MISMATCH", "DUPLICATE_DOCUMENT", "PAYEE_NAME_MISMATCH", "A_NEW_CODE"),
    ],
)
def test_no_answer_lifts_deception_duplicates_and_bank_details(code) -> None:
    answers = Answers(frozenset({code}), EVERYTHING)
    for field in (None, "iban", "seller", *EVERYTHING):
        finding = InvoiceFinding(code, "a test's own", field, Severity.REVIEW)
        assert answers.finding(finding) == finding
    with pytest.raises(InvalidInput):
        checked_accepted([code])


def test_an_amount_that_could_not_be_read_is_answered_by_stating_it() -> None:
    unread = InvoiceFinding(
        "AMOUNT_UNREADABLE", "100.00 per month", "payable_amount", Severity.REVIEW
    )
    assert Answers(frozenset(), {"due_date": "2026-12-10"}).finding(unread) == unread
    answered = Answers(frozenset(), {"payable_amount": "1200.00"}).finding(unread)
    assert answered == replace(unread, severity=Severity.NOTE)


def test_what_cannot_be_used_is_not_answered_for() -> None:
    rejected = InvoiceFinding("MISSING_FIELD", "none", "payable_amount", Severity.REJECT)
    assert Answers(frozenset(), EVERYTHING).finding(rejected) == rejected


async def test_deception_holds_whatever_is_stated(world, organization) -> None:
    hidden = review_finding("HIDDEN_TEXT")
    held = await world.taken(printed("HF-1", "840.00 USDC"), hidden)
    with pytest.raises(InvalidInput) as refused:
        await world.reviews.review(organization.cfo, held.id, reason=WHY, accepted=["HIDDEN_TEXT"])
    assert refused.value.code == "NOT_ACCEPTABLE"
    with pytest.raises(Conflict) as still:
        await world.reviews.review(
            organization.cfo, held.id, reason=WHY, accepted=["PO_OVER"], stated=EVERYTHING
        )
    assert (still.value.code, still.value.data["held_by"]) == ("REVIEW_INCOMPLETE", "HIDDEN_TEXT")


async def test_a_corrected_number_that_is_here_already_stays_a_duplicate(
    world, organization
) -> None:
    people = (organization.clerk, organization.agent)
    await submit_and_read(world.invoices, *people, printed("HF-1", "140.00 USDC"))
    held = await world.taken(
        printed("HF-2", "150.00 USDC"), review_finding("READERS_DISAGREE", "invoice_number")
    )
    with pytest.raises(Conflict) as refused:
        await world.reviews.review(
            organization.clerk, held.id, reason=WHY, stated={"invoice_number": "hf 1"}
        )
    assert refused.value.data == {"held_by": "DUPLICATE_INVOICE"}


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ({"iban": "DE02120300000000202051"}, "NOT_STATABLE"),
        ({"pay_to_address": ADDRESS}, "NOT_STATABLE"),
        ({"payable_amount": "1.000,00"}, "STATED_VALUE"),
        ({"payable_amount": "-1"}, "STATED_VALUE"),
        ({"payable_amount": "٤٥٠"}, "STATED_VALUE"),
        ({"due_date": "20261210"}, "STATED_VALUE"),
        ({"currency": "XXQ"}, "STATED_VALUE"),
        ({"invoice_number": "HF\u202e-1"}, "STATED_VALUE"),
    ],
)
async def test_a_statement_is_a_plain_value_and_never_a_place_to_pay_to(
    world, organization, stated, code
) -> None:
    held = await world.taken(printed("HF-1", "840.00 USDC"))
    with pytest.raises(InvalidInput) as refused:
        await world.reviews.review(
            organization.clerk, held.id, reason=WHY, accepted=["PO_OVER"], stated=stated
        )
    assert refused.value.code == code


async def test_only_people_review_with_a_reason_what_needs_it(world, organization) -> None:
    held = await world.taken(printed("HF-1", "840.00 USDC"))
    accepted = ["PO_OVER"]
    for person, code in (
        (organization.agent, "REVIEWER_NOT_HUMAN"),
        (organization.service, "REVIEWER_NOT_HUMAN"),
        (organization.approver, "PERMISSION_MISSING"),
    ):
        with pytest.raises(NotPermitted) as refused:
            await world.reviews.review(person, held.id, reason=WHY, accepted=accepted)
        assert refused.value.code == code
    with pytest.raises(InvalidInput) as silent:
        await world.reviews.review(organization.cfo, held.id, reason=" ", accepted=accepted)
    assert silent.value.code == "REASON_MISSING"
    await world.reviews.review(organization.cfo, held.id, reason=WHY, accepted=accepted)
    with pytest.raises(Conflict) as twice:
        await world.reviews.review(organization.clerk, held.id, reason=WHY, accepted=accepted)
    assert twice.value.code == "INVOICE_NOT_IN_REVIEW"
