"""What the submitter of an invoice is mailed, and that it is mailed if and only if it is true."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from tests.support.approvals import job_queue, rows
from tests.support.clock import ManualClock
from tests.support.invoices import invoice_service, printed, read, submit, submit_and_read
from tests.support.notifications import (
    LoopbackMail,
    mail_server,
    notification_service,
    plain_transport,
    queued_jobs,
)
from tests.support.organization import TestOrganization
from tests.support.payees import create_world, payee_service
from treasurer.db.engine import Database
from treasurer.documents.reading import Severity
from treasurer.invoices.model import InvoiceFinding, InvoiceState
from treasurer.invoices.service import InvoiceService
from treasurer.kernel.ids import OrganizationId
from treasurer.notifications.model import NotificationKind, NotificationState
from treasurer.notifications.service import Outbox

HELD = InvoiceFinding("PAYEE_ADDRESS_MISSING", "add and verify one", None, Severity.REVIEW)


@pytest.fixture
def invoices(database: Database, clock: ManualClock) -> InvoiceService:
    return invoice_service(database, clock)


@pytest.fixture(autouse=True)
async def world(database: Database, clock: ManualClock, organization: TestOrganization) -> None:
    await create_world(payee_service(database, clock), organization)


async def mails(
    database: Database, organization: TestOrganization
) -> list[tuple[object, object, object]]:
    found = await rows(database, organization, "notifications")
    return [(row["kind"], row["subject_id"], row["recipient"]) for row in found]


@pytest.mark.parametrize(
    ("content", "state", "kind"),
    [
        (printed(total="1.000 USDC"), InvoiceState.NEEDS_REVIEW, "invoice_needs_review"),
        (printed(total="-250.00 USDC"), InvoiceState.REJECTED, "invoice_rejected"),
        (printed("HF-1", note="Again"), InvoiceState.DUPLICATE, "invoice_rejected"),
    ],
)
async def test_the_submitter_is_told_once_what_intake_does_not_take(
    database: Database,
    organization: TestOrganization,
    invoices: InvoiceService,
    content: bytes,
    state: InvoiceState,
    kind: str,
) -> None:
    await submit_and_read(invoices, organization.service, organization.agent, printed("HF-1"))
    assert await mails(database, organization) == []
    invoice = await submit_and_read(invoices, organization.clerk, organization.agent, content)
    assert invoice.state is state
    told = [(kind, invoice.id, organization.email("clerk"))]
    assert await mails(database, organization) == told
    assert len(await queued_jobs(database, organization)) == 1
    await invoices.record_reading(organization.agent, invoice.id, read(content), read_by="rules")
    assert await mails(database, organization) == told


@pytest.mark.parametrize(
    ("finding", "kind"),
    [
        (HELD, "invoice_needs_review"),
        (InvoiceFinding("DUPLICATE_INVOICE", "twin", None, Severity.REVIEW), "invoice_rejected"),
    ],
)
async def test_what_could_not_be_proposed_is_told_as_well(
    database: Database,
    organization: TestOrganization,
    invoices: InvoiceService,
    finding: InvoiceFinding,
    kind: str,
) -> None:
    invoice = await submit_and_read(
        invoices, organization.service, organization.agent, printed("HF-1")
    )
    for _ in range(2):
        await invoices.set_aside(organization.agent, invoice.id, finding)
    assert await mails(database, organization) == [
        (kind, invoice.id, organization.email("service"))
    ]


async def test_the_mail_names_the_document_and_what_to_do(
    database: Database,
    organization: TestOrganization,
    invoices: InvoiceService,
    clock: ManualClock,
) -> None:
    invoice = await submit_and_read(
        invoices, organization.clerk, organization.agent, printed("HF-7", "1.000 USDC")
    )
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        service = notification_service(database, plain_transport(port), clock)
        (job,) = await queued_jobs(database, organization)
        state = await service.deliver(organization.id, job.notification_id)
    assert state is NotificationState.SENT
    (message,) = mail.received
    assert message["To"] == organization.email("clerk")
    assert message["Subject"] == "Please look at HF-7"
    body = message.get_body(("plain",))
    assert body is not None
    assert "[AMBIGUOUS_AMOUNT]" in body.get_content()
    assert f"https://pay.norwick.example/invoices/{invoice.id}" in body.get_content()


class BrokenOutbox(Outbox):
    """Queues the mail, and then the connection breaks."""

    async def announce(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        kind: NotificationKind,
        subject_ids: Sequence[UUID],
    ) -> int:
        await super().announce(connection, organization_id, kind, subject_ids)
        raise ConnectionResetError


async def test_mail_and_end_stand_or_fall_together(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    broken = BrokenOutbox(queue=job_queue(), clock=clock, new_id=uuid7)
    invoices = invoice_service(database, clock, outbox=broken)
    held = await submit(invoices, organization.clerk, printed(total="1.000 USDC"))
    ready = await submit_and_read(invoices, organization.clerk, organization.agent, printed("HF-2"))
    with pytest.raises(ConnectionResetError):
        await invoices.record_reading(
            organization.agent, held.id, read(printed(total="1.000 USDC")), read_by="rules"
        )
    with pytest.raises(ConnectionResetError):
        await invoices.set_aside(organization.agent, ready.id, HELD)
    assert (await invoices.get(organization.clerk, held.id)).state is InvoiceState.RECEIVED
    assert (await invoices.get(organization.clerk, ready.id)).state is InvoiceState.READING
    assert await mails(database, organization) == []
    assert await queued_jobs(database, organization) == []
