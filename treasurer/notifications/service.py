"""Owns queueing news and delivering mails. Must never hold a transaction open while mail is sent.

A delivery claims its row, sends, and writes the outcome: three steps, two commits, no lock between.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.db.engine import Database
from treasurer.db.jobs import JobQueue
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import OutcomeUnknown, Permanent, Transient
from treasurer.kernel.ids import NewId, OrganizationId
from treasurer.notifications import store
from treasurer.notifications.claims import Claims
from treasurer.notifications.contents import gather
from treasurer.notifications.model import (
    ApprovalQuestion,
    Content,
    InvoiceNotice,
    Notification,
    NotificationId,
    NotificationKind,
    NotificationState,
)
from treasurer.notifications.port import IssueLink
from treasurer.notifications.transport import MailTransport

if TYPE_CHECKING:
    from email.headerregistry import Address
    from email.message import EmailMessage

    from treasurer.notifications.mail import MailRenderer

SEND_JOB = "send_notification"
"""The job's name; its arguments are `organization_id` and `notification_ids`, as text."""

_MAILS_A_JOB = 20
"""A queued job costs the database more than the row of the mail that it sends."""


_log = structlog.get_logger(__name__)


class Outbox:
    """Queues news in the transaction that makes it true."""

    def __init__(self, *, queue: JobQueue, clock: Clock, new_id: NewId) -> None:
        self._queue = queue
        self._clock = clock
        self._new_id = new_id

    async def enqueue(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        kind: NotificationKind,
        subject_id: UUID,
        recipients: Iterable[str],
    ) -> int:
        """Queue a mail to each address, unless that address got this news; return how many."""
        mails = [(subject_id, recipient) for recipient in recipients]
        return await self._put(connection, organization_id, kind, mails)

    async def announce(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        kind: NotificationKind,
        subject_ids: Sequence[UUID],
    ) -> int:
        """Queue news about payments or invoices to whom each concerns; return how many mails.

        Submitters get everything, payees their remittance advice. Approval requests are not
        announced: only approvals know whom they may ask.
        """
        mails = await store.concerned(connection, organization_id, kind, subject_ids)
        return await self._put(connection, organization_id, kind, mails)

    async def _put(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        kind: NotificationKind,
        mails: Iterable[tuple[UUID, str]],
    ) -> int:
        distinct: dict[tuple[UUID, str], str] = {}
        for subject, address in mails:
            distinct.setdefault((subject, address.casefold()), address)
        if not distinct:
            return 0
        queued = await store.insert(
            connection,
            organization_id,
            kind,
            [
                (NotificationId(self._new_id()), subject, address)
                for (subject, _), address in distinct.items()
            ],
            self._clock(),
        )
        await self._queue.defer_many(
            connection,
            SEND_JOB,
            [
                {
                    "organization_id": str(organization_id),
                    "notification_ids": [str(id_) for id_ in queued[start : start + _MAILS_A_JOB]],
                }
                for start in range(0, len(queued), _MAILS_A_JOB)
            ],
        )
        return len(queued)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Who sends, and where links lead. `public_url` has no slash at its end."""

    sender: "Address"
    public_url: str


class NotificationService:
    """Delivers queued mails, each for itself."""

    def __init__(
        self,
        *,
        database: Database,
        queue: JobQueue,
        transport: MailTransport,
        issue_link: IssueLink,
        mailbox: Mailbox,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._queue = queue
        self._claims = Claims(
            database=database, send_later=self._send_later, clock=clock, new_id=new_id
        )
        self._transport = transport
        self._issue_link = issue_link
        self._mailbox = mailbox
        self._clock = clock
        self._renderer: MailRenderer | None = None

    async def deliver(
        self, organization_id: OrganizationId, notification_id: NotificationId
    ) -> NotificationState | None:
        """Send one mail, or note why not and put it back; return its state, None if unknown.

        Safe to call again at any time: a sent mail is not sent again, and a delivery that is under
        way elsewhere is waited for. Failures of the mail server are no exceptions here; the row
        says what happened and a later job is on the queue.
        """
        claimed = await self._claims.take(organization_id, notification_id)
        if not isinstance(claimed, Notification):
            return claimed
        try:
            message = await self._message(claimed)
            if message is None:
                return await self._claims.close(claimed, NotificationState.WITHDRAWN)
            await self._transport.send(message)
        except (Transient, OutcomeUnknown) as error:
            return await self._claims.put_back(claimed, error)
        except Permanent as error:
            return await self._claims.close(claimed, NotificationState.FAILED, error)
        except Exception:
            # Ours to mend; until then it waits like any other, and is given up and told like any other.
            _log.exception("mail_broken", notification_id=str(claimed.id))
            broken = Transient("MAIL_BROKEN", "the mail could not be made; see the worker's log")
            return await self._claims.put_back(claimed, broken)
        return await self._claims.close(claimed, NotificationState.SENT)

    async def _message(self, claimed: Notification) -> "EmailMessage | None":
        """The mail as of now, its link issued and committed, or None where it has no news left."""
        now = self._clock()
        async with self._database.unit(claimed.organization_id) as connection:
            content = await gather(connection, claimed, now)
            if content is None:
                return None
            link = await self._link(connection, claimed, content)
        # Imported here: who only queues mails needs no templates.
        from treasurer.notifications.mail import MailRenderer, compose

        if self._renderer is None:
            self._renderer = MailRenderer()
        words = self._renderer.render(claimed.kind, content, link=link)
        return compose(words, claimed, sender=self._mailbox.sender, now=now)

    async def _link(
        self, connection: AsyncConnection, claimed: Notification, content: Content
    ) -> str:
        base = self._mailbox.public_url
        if claimed.kind is NotificationKind.APPROVAL_ESCALATED:
            return f"{base}/approvals/{claimed.subject_id}"
        if isinstance(content, ApprovalQuestion):
            token = await self._issue_link(
                connection, claimed.organization_id, content.request_id, content.approver_id
            )
            return f"{base}/approve/{token}"
        if isinstance(content, InvoiceNotice):
            return f"{base}/invoices/{content.invoice_id}"
        return f"{base}/payments/{content.terms.payment_id}"

    async def _send_later(
        self, connection: AsyncConnection, notification: Notification, due: datetime
    ) -> None:
        await self._queue.defer(
            connection,
            SEND_JOB,
            schedule_at=due,
            organization_id=str(notification.organization_id),
            notification_ids=[str(notification.id)],
        )
