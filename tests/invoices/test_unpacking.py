"""A mail's attachments become invoices of their own, in the transaction that ends the mail."""

from sqlalchemy import text

from tests.documents.test_mail import mail
from tests.support.invoices import invoice_service, printed, read, submit, submit_and_read
from treasurer.invoices.model import InvoiceState


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
