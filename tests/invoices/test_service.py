import asyncio
from datetime import date

import pytest
from sqlalchemy import text

from tests.support.clock import START, ManualClock
from tests.support.invoices import invoice_service, printed, read, submit, submit_and_read
from tests.support.organization import TestOrganization, create_organization
from tests.support.payees import create_world, payee_service
from treasurer.audit import store as audit
from treasurer.db.engine import Database
from treasurer.documents.limits import Limits
from treasurer.documents.reading import Severity
from treasurer.identity.idempotency import IdempotencyClaim, claim_for
from treasurer.invoices import store
from treasurer.invoices.model import Invoice, InvoiceFinding, InvoiceState
from treasurer.invoices.service import InvoiceService
from treasurer.kernel.errors import InvalidInput, InvariantViolated, NotFound, NotPermitted
from treasurer.kernel.money import Asset
from treasurer.payees.model import Payee


@pytest.fixture
def invoices(database: Database, clock: ManualClock) -> InvoiceService:
    return invoice_service(database, clock)


@pytest.fixture
async def world(
    database: Database, clock: ManualClock, organization: TestOrganization
) -> dict[str, Payee]:
    return await create_world(payee_service(database, clock), organization)


async def count(database: Database, organization: TestOrganization, table: str) -> int:
    async with database.unit(organization.id) as connection:
        result = await connection.execute(text(f"SELECT count(*) FROM {table}"))
        return int(result.scalar_one())


async def jobs_of(database: Database, invoice: Invoice) -> list[tuple[str, str]]:
    async with database.claims() as connection:
        rows = await connection.execute(
            text(
                "SELECT task_name, args->>'organization_id' FROM procrastinate_jobs"
                " WHERE args->>'invoice_id' = :id"
            ),
            {"id": str(invoice.id)},
        )
        return [(row[0], row[1]) for row in rows]


async def payloads(
    database: Database, organization: TestOrganization, invoice: Invoice
) -> list[tuple[str, dict[str, object]]]:
    async with database.unit(organization.id) as connection:
        rows = await audit.event_page(
            connection, organization.id, before=None, aggregate_id=invoice.id, most=50
        )
    return [(row["kind"], row["payload"]) for row in reversed(rows)]


def codes(invoice: Invoice) -> list[str]:
    return [finding.code for finding in invoice.findings]


async def test_a_document_is_received_with_its_job_and_event(
    invoices: InvoiceService, organization: TestOrganization, database: Database
) -> None:
    content = printed()
    invoice = await invoices.receive(
        organization.clerk,
        content=content,
        filename="C:\\mail\\in\u202evoice.txt",
        media_type="Text/Plain; charset=utf-8",
        channel="api",
    )
    assert invoice.state is InvoiceState.RECEIVED
    assert invoice.findings == ()
    assert await invoices.get(organization.clerk, invoice.id) == invoice
    document = await invoices.document(organization.clerk, invoice.id)
    assert (document.content, document.media_type, document.filename) == (
        content,
        "text/plain",
        "invoice.txt",
    )
    assert await jobs_of(database, invoice) == [("read_invoice", str(organization.id))]
    assert await payloads(database, organization, invoice) == [
        (
            "invoice.received",
            {
                "channel": "api",
                "document_sha256": document.sha256.hex(),
                "bytes": len(content),
            },
        )
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "DOCUMENT_EMPTY"), (b" \n\t", "DOCUMENT_EMPTY"), (b"x" * 101, "DOCUMENT_TOO_LARGE")],
)
async def test_unfit_documents_leave_nothing_behind(
    database: Database,
    clock: ManualClock,
    organization: TestOrganization,
    content: bytes,
    code: str,
) -> None:
    invoices = invoice_service(database, clock, Limits(document_bytes=100))
    with pytest.raises(InvalidInput) as refused:
        await submit(invoices, organization.clerk, content)
    assert refused.value.code == code
    assert await count(database, organization, "documents") == 0
    assert await count(database, organization, "invoices") == 0
    await submit(invoices, organization.clerk, b"x" * 100)


async def test_only_submitters_submit_and_only_readers_read(
    invoices: InvoiceService, organization: TestOrganization, database: Database
) -> None:
    for principal in (organization.auditor, organization.approver, organization.administrator):
        with pytest.raises(NotPermitted):
            await submit(invoices, principal, printed())
    invoice = await submit(invoices, organization.service, printed())
    stranger = await create_organization(database)
    with pytest.raises(NotFound):
        await invoices.get(stranger.clerk, invoice.id)
    with pytest.raises(NotFound):
        await invoices.document(stranger.clerk, invoice.id)
    with pytest.raises(NotFound):
        await invoices.record_reading(stranger.agent, invoice.id, read(printed()), read_by="rules")
    assert await invoices.reading(stranger.clerk, invoice.id) is None
    assert await invoices.page(stranger.clerk) == []


async def test_a_repeated_key_answers_with_the_first_invoice(
    invoices: InvoiceService,
    organization: TestOrganization,
    world: dict[str, Payee],
    database: Database,
) -> None:
    def claim(content: bytes) -> IdempotencyClaim:
        return claim_for(
            organization.clerk, route="POST /invoices", key="k-1", fields={}, blobs=[content]
        )

    async def send(content: bytes) -> Invoice:
        return await invoices.receive(
            organization.clerk,
            content=content,
            filename=None,
            media_type=None,
            channel="api",
            idempotency=claim(content),
        )

    first = await send(printed())
    await invoices.record_reading(organization.agent, first.id, read(printed()), read_by="rules")
    again = await send(printed())
    assert (again.id, again.state) == (first.id, InvoiceState.READING)
    assert await count(database, organization, "invoices") == 1
    with pytest.raises(InvalidInput) as refused:
        await send(printed("HF-9999"))
    assert refused.value.code == "IDEMPOTENCY_MISMATCH"
    assert await count(database, organization, "documents") == 1


async def test_a_clean_reading_is_ready_to_be_proposed(
    invoices: InvoiceService,
    organization: TestOrganization,
    world: dict[str, Payee],
    database: Database,
) -> None:
    invoice = await submit_and_read(
        invoices, organization.clerk, organization.agent, printed("HF-4101", "840.00 USDC")
    )
    assert invoice.state is InvoiceState.READING
    assert invoice.findings == ()
    assert (invoice.payee_id, invoice.payee_code) == (world["V-001"].id, "V-001")
    assert invoice.invoice_number == "HF-4101"
    assert (invoice.issue_date, invoice.due_date) == (date(2026, 11, 20), date(2026, 12, 10))
    assert invoice.currency == Asset("USDC", 6)
    assert invoice.payable_amount_minor == invoice.open_amount_minor == 840_000_000
    stored = await invoices.reading(organization.clerk, invoice.id)
    assert stored is not None
    assert stored["fields"]["seller"] == "Halden Freight AS"
    assert stored["evidence"]["payable_amount"]["text"] == "Total due: 840.00 USDC"
    kind, payload = (await payloads(database, organization, invoice))[1]
    assert kind == "invoice.read"
    assert payload["state"] == "reading"
    assert payload["read_by"] == "rules"
    assert len(str(payload["proposal_digest"])) == 64
    async with database.unit(organization.id) as connection:
        keys = await connection.execute(
            text("SELECT invoice_number_key, invoice_number_skeleton FROM invoices")
        )
        assert keys.one() == ("hf4101", "hf4101")


@pytest.mark.parametrize("state", ["needs_review", "duplicate", "rejected", "proposed", "paid"])
async def test_a_repeated_reading_changes_nothing_once_the_state_moved(
    invoices: InvoiceService,
    organization: TestOrganization,
    world: dict[str, Payee],
    database: Database,
    state: str,
) -> None:
    invoice = await submit_and_read(invoices, organization.clerk, organization.agent, printed())
    async with database.unit(organization.id) as connection:
        await connection.execute(
            text("UPDATE invoices SET state = :state WHERE id = :id"),
            {"id": invoice.id, "state": state},
        )
    again = await invoices.record_reading(
        organization.agent, invoice.id, read(printed()), read_by="rules"
    )
    assert again.state.value == state
    assert (await invoices.get(organization.clerk, invoice.id)) == again
    kinds = [kind for kind, _ in await payloads(database, organization, invoice)]
    assert kinds == ["invoice.received", "invoice.read"]


async def test_a_reading_of_other_bytes_is_refused(
    invoices: InvoiceService, organization: TestOrganization, world: dict[str, Payee]
) -> None:
    invoice = await submit(invoices, organization.clerk, printed())
    with pytest.raises(InvalidInput) as refused:
        await invoices.record_reading(
            organization.agent, invoice.id, read(printed("HF-1", "9.00 USDC")), read_by="rules"
        )
    assert refused.value.code == "READING_OF_ANOTHER_DOCUMENT"


@pytest.mark.parametrize(
    ("content", "state", "code"),
    [
        (printed(total="-250.00 USDC"), "rejected", "NEGATIVE_TOTAL"),
        (printed(total="1e6 USDC"), "rejected", "AMOUNT_SYNTAX"),
        (printed(total="1.000 USDC"), "needs_review", "AMBIGUOUS_AMOUNT"),
        (printed(total="0.00 USDC"), "needs_review", "NOTHING_TO_PAY"),
        (printed(seller="Ha1den Freight AS"), "needs_review", "LOOKALIKE_PAYEE"),
        (
            printed(address="0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
            "needs_review",
            "PAYEE_ADDRESS_MISMATCH",
        ),
        (b"<!DOCTYPE x><Invoice/>", "rejected", None),
    ],
)
async def test_what_must_not_be_paid_is_not_ready(
    invoices: InvoiceService,
    organization: TestOrganization,
    world: dict[str, Payee],
    content: bytes,
    state: str,
    code: str | None,
) -> None:
    invoice = await submit_and_read(invoices, organization.clerk, organization.agent, content)
    assert invoice.state.value == state
    assert code is None or code in codes(invoice)


async def test_the_same_invoice_again_is_a_duplicate(
    invoices: InvoiceService, organization: TestOrganization, world: dict[str, Payee]
) -> None:
    first = await submit_and_read(invoices, organization.clerk, organization.agent, printed())
    same_bytes = await submit(invoices, organization.clerk, printed())
    assert [(f.code, f.other_invoice_id, f.severity) for f in same_bytes.findings] == [
        ("DOCUMENT_SEEN_BEFORE", first.id, Severity.NOTE)
    ]
    assert (await invoices.get(organization.clerk, same_bytes.id)).findings == same_bytes.findings
    same_bytes = await invoices.record_reading(
        organization.agent, same_bytes.id, read(printed()), read_by="rules"
    )
    assert same_bytes.state is InvoiceState.DUPLICATE
    assert [(f.code, f.other_invoice_id) for f in same_bytes.findings] == [
        ("DUPLICATE_DOCUMENT", first.id)
    ]
    respelt = await submit_and_read(
        invoices, organization.clerk, organization.agent, printed("hf_4101", "12.00 USDC")
    )
    assert (respelt.state, codes(respelt)) == (InvoiceState.DUPLICATE, ["DUPLICATE_INVOICE"])
    near = await submit_and_read(
        invoices, organization.clerk, organization.agent, printed("HF-41O1", "840.01 USDC")
    )
    assert (near.state, codes(near)) == (InvoiceState.NEEDS_REVIEW, ["NEAR_DUPLICATE_INVOICE"])
    variant = await submit_and_read(
        invoices, organization.clerk, organization.agent, printed("HF-4101-A", "840.00 USDC")
    )
    assert variant.state is InvoiceState.NEEDS_REVIEW
    assert [(f.code, f.other_invoice_id) for f in variant.findings] == [
        ("NEAR_DUPLICATE_INVOICE", first.id),
        ("NEAR_DUPLICATE_INVOICE", near.id),
    ]
    other = await submit_and_read(
        invoices, organization.clerk, organization.agent, printed("HF-4102", "840.00 USDC")
    )
    assert other.state is InvoiceState.READING
    assert first.state is InvoiceState.READING


async def test_another_payees_number_is_another_invoice(
    invoices: InvoiceService, organization: TestOrganization, world: dict[str, Payee]
) -> None:
    await submit_and_read(invoices, organization.clerk, organization.agent, printed("1001"))
    other = await submit_and_read(
        invoices,
        organization.clerk,
        organization.agent,
        printed("1001", seller="Qorvane Logistics GmbH", address=None),
    )
    assert other.state is InvoiceState.READING


@pytest.mark.parametrize("numbers", [["HF-7"] * 6, ["HF-1O1", "HF-101", "HF-l01", "HF-10l"]])
async def test_of_concurrent_copies_one_at_most_is_ready(
    invoices: InvoiceService,
    organization: TestOrganization,
    world: dict[str, Payee],
    numbers: list[str],
) -> None:
    documents = [printed(number) for number in numbers]
    received = await asyncio.gather(
        *(submit(invoices, organization.clerk, content) for content in documents)
    )
    recorded = await asyncio.gather(
        *(
            invoices.record_reading(organization.agent, invoice.id, read(content), read_by="rules")
            for invoice, content in zip(received, documents, strict=True)
        )
    )
    states = sorted(invoice.state.value for invoice in recorded)
    assert states.count("reading") == 1
    assert set(states) <= {"reading", "duplicate", "needs_review"}


async def test_after_a_review_the_same_document_may_be_judged_anew(
    invoices: InvoiceService, organization: TestOrganization, database: Database, clock: ManualClock
) -> None:
    before = await submit_and_read(invoices, organization.clerk, organization.agent, printed())
    assert codes(before) == ["UNKNOWN_PAYEE"]
    await create_world(payee_service(database, clock), organization)
    after = await submit_and_read(invoices, organization.clerk, organization.agent, printed())
    assert after.state is InvoiceState.READING
    assert [(f.code, f.other_invoice_id) for f in after.findings] == [
        ("DOCUMENT_SEEN_BEFORE", before.id)
    ]


@pytest.mark.parametrize(
    "faulty",
    [
        printed(total="1.000 USDC"),
        printed(note="Thank you.\u200b"),
        printed(address="0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
    ],
    ids=["ambiguous amount", "invisible character", "foreign address"],
)
async def test_a_clean_copy_of_what_was_set_aside_is_judged_by_itself(
    invoices: InvoiceService, organization: TestOrganization, world: dict[str, Payee], faulty: bytes
) -> None:
    held = await submit_and_read(invoices, organization.clerk, organization.agent, faulty)
    assert held.state is InvoiceState.NEEDS_REVIEW
    clean = await submit_and_read(invoices, organization.clerk, organization.agent, printed())
    assert clean.state is InvoiceState.READING
    assert [(f.code, f.other_invoice_id, f.severity) for f in clean.findings] == [
        ("NUMBER_SEEN_BEFORE", held.id, Severity.NOTE)
    ]
    again = await submit_and_read(invoices, organization.clerk, organization.agent, faulty)
    assert again.state is InvoiceState.DUPLICATE


async def test_what_cannot_be_proposed_is_set_aside_once(
    invoices: InvoiceService,
    organization: TestOrganization,
    world: dict[str, Payee],
    database: Database,
) -> None:
    invoice = await submit_and_read(invoices, organization.clerk, organization.agent, printed())
    finding = InvoiceFinding("ADDRESS_NOT_VERIFIED", "no verified address", None, Severity.REVIEW)
    held = await invoices.set_aside(organization.agent, invoice.id, finding)
    again = await invoices.set_aside(organization.agent, invoice.id, finding)
    assert (held.state, codes(held)) == (InvoiceState.NEEDS_REVIEW, ["ADDRESS_NOT_VERIFIED"])
    assert again == held
    kinds = [kind for kind, _ in await payloads(database, organization, invoice)]
    assert kinds == ["invoice.received", "invoice.read", "invoice.set_aside"]


async def test_the_database_refuses_a_second_canonical_invoice(
    invoices: InvoiceService,
    organization: TestOrganization,
    world: dict[str, Payee],
    database: Database,
) -> None:
    first = await submit_and_read(invoices, organization.clerk, organization.agent, printed())
    second = await submit_and_read(
        invoices, organization.clerk, organization.agent, printed("hf4101")
    )
    async with database.unit(organization.id) as connection:
        await connection.execute(
            text("UPDATE invoices SET state = 'proposed' WHERE id = :id"), {"id": first.id}
        )
    with pytest.raises(Exception, match="invoices_canonical"):
        async with database.unit(organization.id) as connection:
            await connection.execute(
                text("UPDATE invoices SET state = 'proposed' WHERE id = :id"), {"id": second.id}
            )


async def test_pages_are_keyed_and_filtered(
    invoices: InvoiceService, organization: TestOrganization, world: dict[str, Payee]
) -> None:
    received = [
        await submit(invoices, organization.clerk, printed(f"HF-{number}")) for number in range(4)
    ]
    await invoices.record_reading(
        organization.agent, received[1].id, read(printed("HF-1")), read_by="rules"
    )
    first = await invoices.page(organization.clerk, most=3)
    rest = await invoices.page(organization.clerk, before=first[-1].id, most=3)
    assert [invoice.id for invoice in [*first, *rest]] == [i.id for i in reversed(received)]
    ready = await invoices.page(organization.clerk, state=InvoiceState.READING)
    assert [invoice.id for invoice in ready] == [received[1].id]
    assert ready[0].received_at == START


async def test_money_never_moves_backwards_through_the_states() -> None:
    from treasurer.invoices.model import LEGAL, require_legal

    require_legal(InvoiceState.READING, InvoiceState.PROPOSED)
    require_legal(InvoiceState.PROPOSED, InvoiceState.NEEDS_REVIEW)
    # Only a review leads out of it, and then everything is judged again.
    assert LEGAL[InvoiceState.NEEDS_REVIEW] == {InvoiceState.READING}
    for state in (InvoiceState.DUPLICATE, InvoiceState.REJECTED):
        assert LEGAL[state] == frozenset()
    for state in (InvoiceState.NEEDS_REVIEW, InvoiceState.DUPLICATE, InvoiceState.REJECTED):
        with pytest.raises(InvariantViolated):
            require_legal(state, InvoiceState.PROPOSED)


async def test_the_lock_is_a_row_lock(
    invoices: InvoiceService, organization: TestOrganization, database: Database
) -> None:
    invoice = await submit(invoices, organization.clerk, printed())
    async with database.unit(organization.id) as connection:
        assert await store.get(connection, organization.id, invoice.id, lock=True) == invoice
        async with database.unit(organization.id) as other:
            free = await other.execute(
                text("SELECT id FROM invoices WHERE id = :id FOR NO KEY UPDATE SKIP LOCKED"),
                {"id": invoice.id},
            )
            assert free.all() == []
