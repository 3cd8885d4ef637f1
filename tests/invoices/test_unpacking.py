"""A mail's attachments become invoices of their own, in the transaction that ends the mail."""

from sqlalchemy import text

from tests.documents.test_mail import mail
from tests.support.invoices import invoice_service, printed, read, submit, submit_and_read
from tests.support.payees import create_world, payee_service
from treasurer.invoices.model import InvoiceState
from treasurer.kernel.money import Asset


async def test_each_attachment_is_received_once_for_the_submitter_of_the_mail(
    database, clock, organization
):
    invoices = invoice_service(database, clock)
    message = mail()
    for number in ("HF-4101", "HF-4102"):
        message.add_attachment(
            printed(number), maintype="text", subtype="plain", filename=f"{number}.txt"
        )
    container = await submit_and_read(
        invoices, organization.clerk, organization.agent, bytes(message)
    )
    assert container.state is InvoiceState.UNPACKED
    assert container.payable_amount_minor is None
    found = await invoices.page(organization.cfo)
    children = [invoice for invoice in found if invoice.id != container.id]
    assert {(child.filename, child.state) for child in children} == {
        ("HF-4101.txt", InvoiceState.RECEIVED),
        ("HF-4102.txt", InvoiceState.RECEIVED),
    }
    assert {child.submitted_by for child in children} == {organization.clerk.user_id}
    async with database.unit(organization.id) as connection:
        rows = await connection.execute(
            text("SELECT payload FROM audit_events WHERE kind = 'invoice.received'")
        )
        origins = [row.payload for row in rows if "location" in row.payload]
    assert {(o["container_id"], o["location"]) for o in origins} == {
        (str(container.id), "attachment 1"),
        (str(container.id), "attachment 2"),
    }


async def test_a_repeated_job_unpacks_nothing_again(database, clock, organization):
    invoices = invoice_service(database, clock)
    message = mail()
    message.add_attachment(printed(), maintype="text", subtype="plain", filename="a.txt")
    container = await submit_and_read(
        invoices, organization.clerk, organization.agent, bytes(message)
    )
    again = await invoices.record_reading(
        organization.agent, container.id, read(bytes(message)), read_by="rules"
    )
    assert again.state is InvoiceState.UNPACKED
    assert len(await invoices.page(organization.cfo)) == 2


async def test_the_same_attachment_in_two_mails_is_seen_before(database, clock, organization):
    invoices = invoice_service(database, clock)
    await submit(invoices, organization.clerk, printed())
    message = mail()
    message.add_attachment(printed(), maintype="text", subtype="plain", filename="a.txt")
    await submit_and_read(invoices, organization.clerk, organization.agent, bytes(message))
    newest = (await invoices.page(organization.cfo))[0]
    assert [finding.code for finding in newest.findings] == ["DOCUMENT_SEEN_BEFORE"]


async def test_each_row_of_a_batch_is_an_invoice_of_its_payee_in_the_currency_of_the_books(
    database, clock, organization
):
    await create_world(payee_service(database, clock), organization)
    invoices = invoice_service(database, clock)
    batch = b"vendor_id,invoice,amount\nV-001,HF-4113,120.00\nV-002,QL-4114,130.00\n"
    container = await submit_and_read(invoices, organization.clerk, organization.agent, batch)
    assert container.state is InvoiceState.UNPACKED
    ready = {}
    for child in await invoices.page(organization.cfo, state=InvoiceState.RECEIVED):
        document = await invoices.document(organization.cfo, child.id)
        assert document.media_type == "text/csv"
        done = await invoices.record_reading(
            organization.agent, child.id, read(document.content), read_by="rules"
        )
        assert done.state is InvoiceState.READING
        ready[done.payee_code] = (done.invoice_number, done.currency, done.payable_amount_minor)
    assert ready == {
        "V-001": ("HF-4113", Asset("USD", 2), 12_000),
        "V-002": ("QL-4114", Asset("USD", 2), 13_000),
    }


async def test_an_unknown_code_or_another_payees_name_beside_it_waits_for_a_person(
    database, clock, organization
):
    await create_world(payee_service(database, clock), organization)
    invoices = invoice_service(database, clock)
    for row, code in (
        ("V-009,,HF-1,USD,12.00", "UNKNOWN_PAYEE"),
        ("V-001,Qorvane Logistics GmbH,HF-1,USD,12.00", "PAYEE_CONTRADICTION"),
    ):
        batch = f"vendor_id,vendor,invoice,currency,amount\n{row}\n".encode()
        held = await submit_and_read(invoices, organization.clerk, organization.agent, batch)
        assert held.state is InvoiceState.NEEDS_REVIEW
        assert code in [finding.code for finding in held.findings]
