"""What happens while nobody decides: a reminder, an escalation, a refusal; each once."""

from datetime import timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from policy.quorum import Choice
from tests.support.approvals import (
    CFO_AND_ONE,
    create_payment,
    job_queue,
    open_request,
    rows,
)
from tests.support.clock import ManualClock
from tests.support.notifications import (
    LoopbackMail,
    mail_server,
    notification_service,
    outbox,
    plain_transport,
    queued_jobs,
)
from tests.support.organization import TestOrganization
from treasurer.approvals.deadlines import ESCALATE_JOB, REMIND_JOB, Deadlines, Schedule
from treasurer.approvals.service import ApprovalService
from treasurer.db.engine import Database

_HOURS = 72


@pytest.fixture
def deadlines(database: Database, clock: ManualClock) -> Deadlines:
    return Deadlines(database=database, outbox=outbox(clock), clock=clock, new_id=uuid7)


async def _jobs(database: Database, organization: TestOrganization) -> dict[str, object]:
    async with database.claims() as connection:
        found = await connection.execute(
            text(
                "SELECT task_name, scheduled_at FROM procrastinate_jobs"
                " WHERE task_name IN (:remind, :escalate) AND args ->> 'organization_id' = :org"
            ),
            {"remind": REMIND_JOB, "escalate": ESCALATE_JOB, "org": str(organization.id)},
        )
        return {row.task_name: row.scheduled_at for row in found}


async def _mails(database: Database, organization: TestOrganization, kind: str) -> set[str]:
    found = await rows(database, organization, "notifications")
    return {str(mail["recipient"]) for mail in found if mail["kind"] == kind}


async def test_both_jobs_are_on_the_queue_with_the_request(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    clock: ManualClock,
) -> None:
    payment = await create_payment(database, organization)
    await open_request(database, approvals, organization, payment, clock)
    assert await _jobs(database, organization) == {
        REMIND_JOB: clock() + timedelta(hours=_HOURS / 2),
        ESCALATE_JOB: clock() + timedelta(hours=_HOURS * 3 / 4),
    }


async def test_a_rollback_takes_the_jobs_with_it(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    clock: ManualClock,
) -> None:
    payment = await create_payment(database, organization)
    request = await open_request(database, approvals, organization, payment, clock)
    before = await _jobs(database, organization)
    with pytest.raises(ZeroDivisionError):
        async with database.unit(organization.id) as connection:
            await Schedule(job_queue()).schedule(connection, request)
            raise ZeroDivisionError
    async with database.claims() as connection:
        counted = await connection.execute(
            text("SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'request_id' = :id"),
            {"id": str(request.id)},
        )
        assert counted.scalar_one() == len(before) == 2


async def test_a_reminder_goes_once_to_who_has_not_voted(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    deadlines: Deadlines,
    clock: ManualClock,
) -> None:
    payment = await create_payment(database, organization)
    request = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )
    await approvals.vote(organization.approver, request.id, Choice.APPROVE, "", payment.digest)
    clock.advance(seconds=_HOURS * 1800)
    sent = [await deadlines.remind(organization.id, request.id) for _ in range(3)]
    assert sent == [2, 0, 0]
    assert await _mails(database, organization, "approval_reminder") == {
        organization.email("cfo"),
        organization.email("second_approver"),
    }


async def test_an_escalation_goes_once_to_its_role(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    deadlines: Deadlines,
    clock: ManualClock,
) -> None:
    payment = await create_payment(database, organization)
    request = await open_request(database, approvals, organization, payment, clock)
    async with database.unit(organization.id) as connection:
        await connection.execute(
            text(
                "INSERT INTO approval_settings (organization_id, escalation_role)"
                " VALUES (:org, 'administrator')"
            ),
            {"org": organization.id},
        )
    assert [await deadlines.escalate(organization.id, request.id) for _ in range(2)] == [1, 0]
    told = await _mails(database, organization, "approval_escalated")
    assert told == {organization.email("administrator")}


async def test_what_is_decided_or_over_reminds_nobody(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    deadlines: Deadlines,
    clock: ManualClock,
) -> None:
    payment = await create_payment(database, organization)
    decided = await open_request(database, approvals, organization, payment, clock)
    await approvals.vote(organization.cfo, decided.id, Choice.APPROVE, "", payment.digest)
    other = await create_payment(database, organization)
    over = await open_request(database, approvals, organization, other, clock)
    clock.advance(seconds=_HOURS * 3600)
    for request in (decided, over):
        assert await deadlines.remind(organization.id, request.id) == 0
        assert await deadlines.escalate(organization.id, request.id) == 0
    assert await approvals.expire_due(organization.id) == 1


async def test_the_mails_say_what_waits_and_until_when(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    deadlines: Deadlines,
    clock: ManualClock,
) -> None:
    payment = await create_payment(database, organization)
    request = await open_request(database, approvals, organization, payment, clock)
    await deadlines.remind(organization.id, request.id)
    await deadlines.escalate(organization.id, request.id)
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        service = notification_service(database, plain_transport(port), clock)
        for job in await queued_jobs(database, organization):
            await service.deliver(organization.id, job.notification_id)
    by_subject: dict[str, list[EmailMessage]] = {}
    for message in mail.received:
        by_subject.setdefault(str(message["Subject"]).partition(":")[0], []).append(message)
    reminders, escalations = by_subject["Still waiting"], by_subject["About to lapse"]
    assert (len(reminders), len(escalations)) == (3, 1)
    for message, link in (
        (reminders[0], "/approve/"),
        (escalations[0], f"/approvals/{request.id}"),
    ):
        assert message.get_content_type() == "multipart/alternative"
        for subtype in ("plain", "html"):
            part = message.get_body((subtype,))
            assert part is not None
            words = str(part.get_content())
            assert "4,150.00 USDC" in words
            assert "2026-11-25 10:00 UTC" in words
            assert link in words
