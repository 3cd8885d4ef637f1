"""Mails arrive once, whatever the mail server does, as far as SMTP allows."""

import asyncio
from datetime import timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import text

from policy.quorum import Choice
from tests.support.approvals import (
    RecordingGate,
    WaitingPayment,
    approval_service,
    create_payment,
    open_request,
    rows,
)
from tests.support.clock import ManualClock
from tests.support.notifications import (
    LoopbackMail,
    QueuedJob,
    mail_server,
    notification_service,
    outbox,
    plain_transport,
    queued_jobs,
)
from tests.support.organization import TestOrganization, create_organization
from treasurer.db.engine import Database
from treasurer.notifications.model import NotificationId, NotificationKind, NotificationState
from treasurer.notifications.transport import MailTransport


async def _refusal(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> NotificationId:
    """One queued mail: the clerk's payment was denied."""
    payment = await create_payment(database, organization, state="denied")
    async with database.unit(organization.id) as connection:
        queued = await outbox(clock).announce(
            connection, organization.id, NotificationKind.PAYMENT_REFUSED, [payment.id]
        )
    assert queued == 1
    return (await queued_jobs(database, organization))[-1].notification_id


async def _row(
    database: Database, organization: TestOrganization, notification_id: NotificationId
) -> dict[str, object]:
    found = await rows(database, organization, "notifications")
    return next(row for row in found if row["id"] == notification_id)


async def test_the_same_news_is_queued_once(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    payment = await create_payment(database, organization, state="denied")
    counts = []
    for recipients in (
        ["a@x.example", "A@X.example", "b@x.example"],
        ["b@x.example", "a@x.example"],
    ):
        async with database.unit(organization.id) as connection:
            counts.append(
                await outbox(clock).enqueue(
                    connection,
                    organization.id,
                    NotificationKind.PAYMENT_REFUSED,
                    payment.id,
                    recipients,
                )
            )
    assert counts == [2, 0]
    found = await rows(database, organization, "notifications")
    assert sorted(str(row["recipient"]) for row in found) == ["a@x.example", "b@x.example"]
    assert len(await queued_jobs(database, organization)) == 2


async def test_a_rollback_takes_mail_and_job_with_it(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    payment = await create_payment(database, organization, state="denied")
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with database.unit(organization.id) as connection:
            await outbox(clock).announce(
                connection, organization.id, NotificationKind.PAYMENT_REFUSED, [payment.id]
            )
            raise RuntimeError("changed my mind")
    assert await rows(database, organization, "notifications") == []
    assert await queued_jobs(database, organization) == []


async def test_a_sent_mail_is_not_sent_again(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    notification_id = await _refusal(database, organization, clock)
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        service = notification_service(database, plain_transport(port), clock)
        for _ in range(3):
            state = await service.deliver(organization.id, notification_id)
            assert state is NotificationState.SENT
            clock.advance(days=1)
    assert len(mail.received) == 1
    assert mail.envelopes == [("treasurer@norwick.example", [organization.email("clerk")])]
    row = await _row(database, organization, notification_id)
    assert (row["state"], row["attempts"], row["error"]) == ("sent", 1, "")
    assert len(await queued_jobs(database, organization)) == 1


async def test_ten_deliveries_at_once_send_one_mail(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    notification_id = await _refusal(database, organization, clock)
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        service = notification_service(database, plain_transport(port), clock)
        await asyncio.gather(
            *(service.deliver(organization.id, notification_id) for _ in range(10))
        )
        for job in await queued_jobs(database, organization):
            clock.now = max(clock.now, job.due or clock.now)
            await service.deliver(organization.id, job.notification_id)
    assert len(mail.received) == 1


async def test_down_then_up_is_exactly_one_mail(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    notification_id = await _refusal(database, organization, clock)
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        pass
    service = notification_service(database, plain_transport(port), clock)
    due = []
    for attempts in (1, 2, 3):
        assert await service.deliver(organization.id, notification_id) is NotificationState.QUEUED
        row = await _row(database, organization, notification_id)
        assert row["attempts"] == attempts
        assert str(row["error"]).startswith("MAIL_SERVER_UNREACHABLE: ")
        last = (await queued_jobs(database, organization))[-1]
        assert last.due is not None
        due.append(last.due - clock())
        clock.now = last.due
    assert due == [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=120)]
    async with mail_server(mail, port=port):
        assert await service.deliver(organization.id, notification_id) is NotificationState.SENT
        assert await service.deliver(organization.id, notification_id) is NotificationState.SENT
    assert len(mail.received) == 1


@pytest.mark.parametrize("where", ["rcpt_answer", "data_answer"])
async def test_a_final_no_fails_and_a_not_now_waits(
    database: Database, organization: TestOrganization, clock: ManualClock, where: str
) -> None:
    notification_id = await _refusal(database, organization, clock)
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        service = notification_service(database, plain_transport(port), clock)
        setattr(mail, where, "451 greylisted")
        assert await service.deliver(organization.id, notification_id) is NotificationState.QUEUED
        assert mail.conversations == 1
        setattr(mail, where, "550 no such user")
        assert await service.deliver(organization.id, notification_id) is NotificationState.FAILED
        setattr(mail, where, "250 OK")
        assert await service.deliver(organization.id, notification_id) is NotificationState.FAILED
    assert mail.received == []
    row = await _row(database, organization, notification_id)
    assert row["error"] == "MAIL_REFUSED: the mail server answered 550 no such user"


async def test_no_answer_after_the_content_sends_a_recognisable_duplicate(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    notification_id = await _refusal(database, organization, clock)
    mail = LoopbackMail(drop_after_content=True)
    async with mail_server(mail) as port:
        service = notification_service(database, plain_transport(port), clock)
        assert await service.deliver(organization.id, notification_id) is NotificationState.QUEUED
        row = await _row(database, organization, notification_id)
        assert str(row["error"]).startswith("MAIL_OUTCOME_UNKNOWN: ")
        # The transport did not try again by itself: it could not know.
        assert (mail.conversations, len(mail.received)) == (1, 1)
        mail.drop_after_content = False
        clock.advance(seconds=30)
        assert await service.deliver(organization.id, notification_id) is NotificationState.SENT
    assert [message["Message-ID"] for message in mail.received] == [
        f"<{notification_id}@norwick.example>"
    ] * 2


class _Killed(BaseException):
    """The process is gone; nothing after it runs."""


class _KilledAfterSending:
    """Hands the mail over and dies before the outcome is written."""

    def __init__(self, inner: MailTransport) -> None:
        self._inner = inner
        self.description = "dies"

    async def send(self, message: EmailMessage) -> None:
        await self._inner.send(message)
        raise _Killed


async def test_a_killed_delivery_is_taken_up_when_its_claim_runs_out(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    notification_id = await _refusal(database, organization, clock)
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        transport = plain_transport(port)
        doomed = notification_service(database, _KilledAfterSending(transport), clock)
        with pytest.raises(_Killed):
            await doomed.deliver(organization.id, notification_id)
        service = notification_service(database, transport, clock)
        clock.advance(seconds=299)
        # The stalled job runs again while the claim still holds: it waits for its end.
        assert await service.deliver(organization.id, notification_id) is NotificationState.QUEUED
        assert len(mail.received) == 1
        waiting = (await queued_jobs(database, organization))[-1]
        assert waiting == QueuedJob(notification_id, clock() + timedelta(seconds=1))
        clock.advance(seconds=1)
        assert await service.deliver(organization.id, notification_id) is NotificationState.SENT
    assert len({message["Message-ID"] for message in mail.received}) == 1
    assert len(mail.received) == 2


async def test_after_five_days_it_gives_up(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    notification_id = await _refusal(database, organization, clock)
    async with mail_server(LoopbackMail()) as port:
        pass
    service = notification_service(database, plain_transport(port), clock)
    clock.advance(days=4, hours=23)
    assert await service.deliver(organization.id, notification_id) is NotificationState.QUEUED
    jobs = len(await queued_jobs(database, organization))
    clock.advance(hours=1)
    assert await service.deliver(organization.id, notification_id) is NotificationState.FAILED
    assert len(await queued_jobs(database, organization)) == jobs


async def test_an_address_that_mail_cannot_have_fails_alone(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    payment = await create_payment(database, organization, state="denied")
    wrong = ["nobody", "a@b.example\r\nBcc: thief@x.example", "жук@x.example", "a@b@c.example"]
    async with database.unit(organization.id) as connection:
        await outbox(clock).enqueue(
            connection, organization.id, NotificationKind.PAYMENT_REFUSED, payment.id, wrong
        )
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        service = notification_service(database, plain_transport(port), clock)
        for job in await queued_jobs(database, organization):
            state = await service.deliver(organization.id, job.notification_id)
            row = await _row(database, organization, job.notification_id)
            assert (state, str(row["error"]).partition(":")[0], row["recipient"]) == (
                NotificationState.FAILED,
                "MAIL_ADDRESS",
                row["recipient"],
            )
    assert mail.received == []


async def _question(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> tuple[WaitingPayment, NotificationId]:
    approvals = approval_service(database, RecordingGate(), clock)
    payment = await create_payment(database, organization)
    request = await open_request(database, approvals, organization, payment, clock)
    await approvals.vote(
        organization.approver, request.id, Choice.REJECT, "not ours", payment.digest
    )
    return payment, (await queued_jobs(database, organization))[0].notification_id


async def test_nobody_is_asked_what_is_decided(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    _, notification_id = await _question(database, organization, clock)
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        service = notification_service(database, plain_transport(port), clock)
        state = await service.deliver(organization.id, notification_id)
    assert state is NotificationState.WITHDRAWN
    assert mail.received == []
    assert await rows(database, organization, "approval_links") == []


async def test_who_left_is_asked_nothing(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    approvals = approval_service(database, RecordingGate(), clock)
    payment = await create_payment(database, organization)
    await open_request(database, approvals, organization, payment, clock)
    async with database.unit(organization.id) as connection:
        await connection.execute(
            text("UPDATE users SET state = 'disabled' WHERE organization_id = :org AND id = :id"),
            {"org": organization.id, "id": organization.cfo.user_id},
        )
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        service = notification_service(database, plain_transport(port), clock)
        for job in await queued_jobs(database, organization):
            await service.deliver(organization.id, job.notification_id)
    assert sorted(message["To"] for message in mail.received) == sorted(
        (organization.email("approver"), organization.email("second_approver"))
    )


async def test_another_organizations_mail_is_not_there(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    notification_id = await _refusal(database, organization, clock)
    stranger = await create_organization(database)
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        service = notification_service(database, plain_transport(port), clock)
        assert await service.deliver(stranger.id, notification_id) is None
    assert mail.received == []


class _Broken:
    """A transport with a fault of ours in it."""

    description = "broken"

    async def send(self, message: EmailMessage) -> None:
        raise RuntimeError("unforeseen")


async def test_a_fault_of_ours_is_tried_again_and_given_up_as_any_other(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    notification_id = await _refusal(database, organization, clock)
    service = notification_service(database, _Broken(), clock)
    assert await service.deliver(organization.id, notification_id) is NotificationState.QUEUED
    last = (await queued_jobs(database, organization))[-1]
    assert last.due == clock() + timedelta(seconds=30)
    clock.advance(days=5)
    assert await service.deliver(organization.id, notification_id) is NotificationState.FAILED
    row = await _row(database, organization, notification_id)
    assert (row["state"], row["attempts"]) == ("failed", 2)
    assert str(row["error"]).startswith("MAIL_BROKEN: ")
