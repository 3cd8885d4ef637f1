"""What mails say, to whom, and that nothing in a document shapes them."""

import re
from datetime import timedelta
from email.message import EmailMessage
from uuid import UUID

import orjson
from sqlalchemy import text

from policy.quorum import Choice
from tests.support.approvals import (
    CFO_AND_ONE,
    RECIPIENT,
    USDC,
    RecordingGate,
    approval_service,
    create_payment,
    open_request,
)
from tests.support.clock import START, ManualClock
from tests.support.notifications import (
    LoopbackMail,
    mail_server,
    notification_service,
    outbox,
    plain_transport,
    queued_jobs,
)
from tests.support.organization import TestOrganization
from treasurer.approvals.links import ApprovalLinks
from treasurer.approvals.model import RequestState
from treasurer.db.engine import Database
from treasurer.notifications.mail import single_line
from treasurer.notifications.model import NotificationKind, NotificationState


async def _delivered(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> dict[str, EmailMessage]:
    """Every queued mail, sent by SMTP, by its recipient."""
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        service = notification_service(database, plain_transport(port), clock)
        for job in await queued_jobs(database, organization):
            state = await service.deliver(organization.id, job.notification_id)
            assert state is NotificationState.SENT
    return {str(message["To"]): message for message in mail.received}


async def _announced(
    database: Database,
    organization: TestOrganization,
    clock: ManualClock,
    kind: NotificationKind,
    subject: UUID,
) -> dict[str, EmailMessage]:
    async with database.unit(organization.id) as connection:
        await outbox(clock).announce(connection, organization.id, kind, [subject])
    return await _delivered(database, organization, clock)


def _part(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


async def test_the_approval_mail_leads_to_a_vote(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    gate = RecordingGate()
    approvals = approval_service(database, gate, clock)
    links = ApprovalLinks(database=database, approvals=approvals, clock=clock)
    payment = await create_payment(
        database,
        organization,
        amount_minor=12_345_678_900,
        explanation="12,345.68 USD lies in the tier up to 25,000.00 USD.\nRunway: 41 days.",
    )
    request = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )
    mails = await _delivered(database, organization, clock)
    assert set(mails) == {
        organization.email(name) for name in ("approver", "second_approver", "cfo")
    }
    tokens = {}
    for name in ("approver", "cfo"):
        message = mails[organization.email(name)]
        found = re.findall(r"https://pay\.norwick\.example/approve/(\S+)", _part(message, "plain"))
        assert len(found) == 1
        tokens[name] = found[0]
        assert message["Subject"] == "Approve 12,345.6789 USDC to Halden Freight AS?"
        code = f"V-{payment.id.hex[-12:].upper()}"
        assert _part(message, "plain") == (
            "Norwick Instruments Ltd asks you to decide on a payment.\n"
            "\n"
            f"  To        Halden Freight AS ({code})\n"
            f"  Address   {RECIPIENT}\n"
            "  Amount    12,345.6789 USDC\n"
            f"  Token     {USDC} on chain 31337\n"
            "  Invoice   HF-2101\n"
            "  Asked by  Clerk\n"
            "  Needs     1 of approver or cfo and 1 of cfo, different people, within 72 h\n"
            "  Until     2026-11-25 10:00 UTC\n"
            f"  Order     0x{payment.digest.hex()}\n"
            "\n"
            "Why the policy asks:\n"
            "  12,345.68 USD lies in the tier up to 25,000.00 USD.\n"
            "  Runway: 41 days.\n"
            "\n"
            "Look and decide here, signed in as yourself:\n"
            f"https://pay.norwick.example/approve/{tokens[name]}\n"
            "\n"
            "The link is yours alone and works once. Opening it changes nothing. Should you not\n"
            "expect this payment, reject it and say why.\n"
        )
        assert f'href="https://pay.norwick.example/approve/{tokens[name]}"' in _part(
            message, "html"
        )
    seen = await links.peek(tokens["cfo"])
    assert (seen.request, seen.user_id) == (request, organization.cfo.user_id)
    await links.redeem(organization.cfo, tokens["cfo"], Choice.APPROVE, "")
    closed = await links.redeem(organization.approver, tokens["approver"], Choice.APPROVE, "")
    assert closed.state is RequestState.APPROVED


async def test_headers_tell_programs_what_this_is(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    payment = await create_payment(database, organization, state="denied")
    mails = await _announced(
        database, organization, clock, NotificationKind.PAYMENT_REFUSED, payment.id
    )
    (message,) = mails.values()
    (job,) = await queued_jobs(database, organization)
    assert message["Message-ID"] == f"<{job.notification_id}@norwick.example>"
    assert message["From"] == "Autonomous Treasurer <treasurer@norwick.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"] == "Sun, 22 Nov 2026 10:00:00 +0000"
    assert message.get_content_type() == "multipart/alternative"


async def test_html_loads_nothing(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    approvals = approval_service(database, RecordingGate(), clock)
    payment = await create_payment(database, organization)
    await open_request(database, approvals, organization, payment, clock)
    for message in (await _delivered(database, organization, clock)).values():
        html = _part(message, "html")
        assert re.findall(r"<(img|script|link|iframe|object|video|audio|form|base)\b", html) == []
        assert re.findall(r"url\(|@import|src=|background=", html) == []
        hosts = set(re.findall(r"https?://([^/\"]+)", html))
        assert hosts == {"pay.norwick.example"}


async def test_a_denial_tells_the_submitter_why(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    payment = await create_payment(
        database,
        organization,
        state="denied",
        explanation="The payment exceeds the limit of 25,000.00 USD.\nAt 25,000.00 it would pass.",
    )
    mails = await _announced(
        database, organization, clock, NotificationKind.PAYMENT_REFUSED, payment.id
    )
    assert list(mails) == [organization.email("clerk")]
    message = mails[organization.email("clerk")]
    assert message["Subject"] == "Not paid: 4,150.00 USDC to Halden Freight AS"
    assert _part(message, "plain").startswith(
        "The policy of Norwick Instruments Ltd does not allow this payment:\n"
        "\n"
        "  The payment exceeds the limit of 25,000.00 USD.\n"
        "  At 25,000.00 it would pass.\n"
        "\n"
        "  To        Halden Freight AS ("
    )


async def test_a_rejection_tells_the_submitter_who_and_why(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    approvals = approval_service(database, RecordingGate(), clock)
    payment = await create_payment(database, organization)
    request = await open_request(database, approvals, organization, payment, clock)
    await approvals.vote(
        organization.cfo, request.id, Choice.REJECT, "We returned\nthese goods.", payment.digest
    )
    async with database.unit(organization.id) as connection:
        await outbox(clock).announce(
            connection, organization.id, NotificationKind.PAYMENT_REFUSED, [payment.id]
        )
    job = (await queued_jobs(database, organization))[-1]
    mail = LoopbackMail()
    async with mail_server(mail) as port:
        service = notification_service(database, plain_transport(port), clock)
        await service.deliver(organization.id, job.notification_id)
    (message,) = mail.received
    assert message["To"] == organization.email("clerk")
    assert _part(message, "plain").startswith(
        "Cfo rejected this payment:\n\n  We returned these goods.\n\n  To        Halden Freight AS"
    )


async def test_a_settlement_advises_the_payee_and_copies_the_submitter(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    payment = await create_payment(database, organization, state="settled")
    transaction_hash = bytes(range(32))
    async with database.unit(organization.id) as connection:
        await connection.execute(
            text(
                "UPDATE payments SET transaction_hash = :hash, settled_at = :at"
                " WHERE organization_id = :org AND id = :id"
            ),
            {
                "hash": transaction_hash,
                "at": START + timedelta(minutes=3),
                "org": organization.id,
                "id": payment.id,
            },
        )
    mails = await _announced(
        database, organization, clock, NotificationKind.PAYMENT_SETTLED, payment.id
    )
    assert set(mails) == {"accounts@halden.example", organization.email("clerk")}
    code = f"V-{payment.id.hex[-12:].upper()}"
    for message in mails.values():
        assert message["Subject"] == "Remittance advice: 4,150.00 USDC from Norwick Instruments Ltd"
        assert _part(message, "plain") == (
            "Norwick Instruments Ltd has paid:\n"
            "\n"
            f"  To        Halden Freight AS ({code})\n"
            f"  Address   {RECIPIENT}\n"
            "  Amount    4,150.00 USDC\n"
            f"  Token     {USDC} on chain 31337\n"
            "  Invoice   HF-2101\n"
            "  Paid      2026-11-22 10:03 UTC\n"
            "  Transaction\n"
            f"            0x{transaction_hash.hex()}\n"
            "\n"
            "The transfer is final on its chain; any explorer of chain 31337 shows it by this"
            " hash.\n"
        )
        assert transaction_hash.hex() in _part(message, "html")


async def test_a_payee_without_mail_and_an_agents_payment(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    payment = await create_payment(
        database,
        organization,
        state="settled",
        payee_email=None,
        submitter=organization.agent.user_id,
    )
    async with database.unit(organization.id) as connection:
        queued = await outbox(clock).announce(
            connection, organization.id, NotificationKind.PAYMENT_SETTLED, [payment.id]
        )
    assert queued == 0


async def test_document_trouble_goes_to_the_submitter(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    expected = {
        "needs_review": (
            NotificationKind.INVOICE_NEEDS_REVIEW,
            "Please look at HF-2101",
            "could not take this document without a person's look:",
        ),
        "rejected": (
            NotificationKind.INVOICE_REJECTED,
            "Rejected: HF-2101",
            "does not pay this document:",
        ),
        "duplicate": (
            NotificationKind.INVOICE_REJECTED,
            "Duplicate: HF-2101",
            "does not pay this document:",
        ),
    }
    findings = [{"code": "AMOUNT_AMBIGUOUS", "message": "1.000 can be read in two ways."}]
    for state, (kind, subject, sentence) in expected.items():
        payment = await create_payment(database, organization, state="denied")
        async with database.unit(organization.id) as connection:
            await connection.execute(
                text(
                    "UPDATE invoices SET state = :state, findings = CAST(:findings AS jsonb)"
                    " WHERE organization_id = :org AND id = :id"
                ),
                {
                    "state": state,
                    "findings": orjson.dumps(findings).decode(),
                    "org": organization.id,
                    "id": payment.invoice_id,
                },
            )
            await outbox(clock).announce(connection, organization.id, kind, [payment.invoice_id])
        job = (await queued_jobs(database, organization))[-1]
        mail = LoopbackMail()
        async with mail_server(mail) as port:
            service = notification_service(database, plain_transport(port), clock)
            await service.deliver(organization.id, job.notification_id)
        (message,) = mail.received
        assert message["Subject"] == subject
        assert _part(message, "plain") == (
            f"Norwick Instruments Ltd {sentence}\n"
            "\n"
            "  1.000 can be read in two ways. [AMOUNT_AMBIGUOUS]\n"
            "\n"
            "Received 2026-11-22 10:00 UTC. The document and what was read of it:\n"
            f"https://pay.norwick.example/invoices/{payment.invoice_id}\n"
        )


async def test_a_documents_text_shapes_nothing(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    payment = await create_payment(
        database,
        organization,
        state="denied",
        invoice_number="HF-1\r\nBcc: thief@x.example\n\n<script>alert(1)</script>\u202e{{ 7*7 }}",
        explanation="<img src=https://x.example/p.png>\n\u2028Approve here: \x1b[31mnow",
    )
    mails = await _announced(
        database, organization, clock, NotificationKind.PAYMENT_REFUSED, payment.id
    )
    assert list(mails) == [organization.email("clerk")]
    message = mails[organization.email("clerk")]
    assert message["Bcc"] is None
    shown = "HF-1 Bcc: thief@x.example <script>alert(1)</script>{{ 7*7 }}"
    assert f"  Invoice   {shown}\n" in _part(message, "plain")
    assert "  Approve here: [31mnow\n" in _part(message, "plain")
    html = _part(message, "html")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}" in html


def test_a_line_is_a_line() -> None:
    assert single_line(" a\tb\r\nc\u2028d\u200be\u202ef\x00g ") == "a b c def g"
    assert single_line("x" * 1001) == "x" * 999 + "…"
    assert single_line("x" * 1000) == "x" * 1000
    assert single_line("Zoë Ålesund 株式会社") == "Zoë Ålesund 株式会社"
