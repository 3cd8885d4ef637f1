"""A real mail server on loopback, and the notification services around it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from sqlalchemy import text
from uuid_utils.compat import uuid7

from tests.support.approvals import job_queue
from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization
from treasurer.approvals.links import issue
from treasurer.db.engine import Database
from treasurer.notifications.model import NotificationId
from treasurer.notifications.sender import sender_of
from treasurer.notifications.service import Mailbox, NotificationService, Outbox
from treasurer.notifications.smtp import SmtpServer, SmtpTransport, Tls
from treasurer.notifications.transport import MailTransport

SENDER = "treasurer@norwick.example"
PUBLIC_URL = "https://pay.norwick.example"


@dataclass
class LoopbackMail:
    """What a mail server received. `rcpt_answer` and `drop_after_content` are its moods."""

    received: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    rcpt_answer: str = "250 OK"
    data_answer: str = "250 OK"
    drop_after_content: bool = False
    conversations: int = 0

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, answers: list[str]
    ) -> list[str]:
        self.conversations += 1
        session.host_name = hostname
        return answers

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt_answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.rcpt_answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if not self.data_answer.startswith("2"):
            return self.data_answer
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.SMTP)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        self.envelopes.append((str(envelope.mail_from), list(envelope.rcpt_tos)))
        if self.drop_after_content:
            assert server.transport is not None
            server.transport.abort()  # type: ignore[attr-defined]
        return self.data_answer


@asynccontextmanager
async def mail_server(
    mail: LoopbackMail,
    *,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    password: str | None = None,
    implicit_tls: bool = False,
) -> AsyncIterator[int]:
    """Serve on 127.0.0.1 until the end of the block; yields the port."""

    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        known = isinstance(data, LoginPassword) and data.password.decode() == password
        return AuthResult(success=known, handled=False)

    def protocol() -> SMTP:
        return SMTP(
            mail,
            hostname="mail.test",
            tls_context=None if implicit_tls else tls,
            authenticator=authenticate if password else None,
            auth_required=password is not None and not implicit_tls,
            auth_require_tls=not implicit_tls,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(
        protocol, "127.0.0.1", port, ssl=tls if implicit_tls else None
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def plain_transport(port: int) -> SmtpTransport:
    return SmtpTransport(SmtpServer("127.0.0.1", port, Tls.OFFERED))


def outbox(clock: ManualClock) -> Outbox:
    return Outbox(queue=job_queue(), clock=clock, new_id=uuid7)


def notification_service(
    database: Database, transport: MailTransport, clock: ManualClock
) -> NotificationService:
    return NotificationService(
        database=database,
        queue=job_queue(),
        transport=transport,
        issue_link=issue,
        mailbox=Mailbox(sender=sender_of(SENDER), public_url=PUBLIC_URL),
        clock=clock,
        new_id=uuid7,
    )


@dataclass(frozen=True)
class QueuedJob:
    """`due` is None for a job that may run at once."""

    notification_id: NotificationId
    due: datetime | None


async def queued_jobs(database: Database, organization: TestOrganization) -> list[QueuedJob]:
    """The jobs that would send the organization's mails, in the order of deferral."""
    async with database.claims() as connection:
        found = await connection.execute(
            text(
                "SELECT notification_id, scheduled_at FROM procrastinate_jobs,"
                " jsonb_array_elements_text(args -> 'notification_ids') AS notification_id"
                " WHERE task_name = 'send_notification'"
                " AND args ->> 'organization_id' = :org ORDER BY procrastinate_jobs.id"
            ),
            {"org": str(organization.id)},
        )
        return [
            QueuedJob(NotificationId(UUID(row.notification_id)), row.scheduled_at) for row in found
        ]
