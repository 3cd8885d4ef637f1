"""Builds invoices for tests: printed documents, readings, and the service over a real database."""

from collections.abc import Mapping

from uuid_utils.compat import uuid7

from tests.support.clock import ManualClock
from treasurer.db.engine import Database
from treasurer.db.jobs import JobQueue
from treasurer.documents.limits import Limits
from treasurer.documents.parsing import parse_document
from treasurer.documents.reading import FieldValue, Finding, Outcome, Reading
from treasurer.invoices.joining import Bounds
from treasurer.invoices.model import Invoice
from treasurer.invoices.reviewing import InvoiceReviews
from treasurer.invoices.service import InvoiceService
from treasurer.kernel.ids import NewId
from treasurer.kernel.organization import Principal
from treasurer.notifications.service import Outbox


def invoice_service(
    database: Database,
    clock: ManualClock,
    limits: Limits | None = None,
    outbox: Outbox | None = None,
    *,
    jobs: JobQueue | None = None,
    new_id: NewId = uuid7,
    bounds: Bounds | None = None,
) -> InvoiceService:
    jobs = jobs or JobQueue()
    return InvoiceService(
        database=database,
        jobs=jobs,
        outbox=outbox or Outbox(queue=jobs, clock=clock, new_id=uuid7),
        clock=clock,
        new_id=new_id,
        limits=limits or Limits(),
        bounds=bounds,
    )


def invoice_reviews(database: Database, clock: ManualClock) -> InvoiceReviews:
    return InvoiceReviews(database=database, jobs=JobQueue(), clock=clock, new_id=uuid7)


def printed(
    number: str = "HF-4101",
    total: str = "840.00 USDC",
    *,
    seller: str = "Halden Freight AS",
    address: str | None = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    date: str = "2026-11-20",
    note: str = "",
) -> bytes:
    """A text invoice in the layout of the demonstration world."""
    lines = [f"INVOICE {number}", f"From: {seller}", "Bill to: Norwick Instruments Ltd"]
    lines += [f"Invoice date: {date}"]
    if address:
        lines.append(f"Pay to (USDC, chain 31337): {address}")
    lines += ["PO: PO-7781", f"Total due: {total}", "Due: 2026-12-10"]
    if note:
        lines.append(note)
    return "\n".join(lines).encode()


def read(content: bytes) -> Reading:
    """What the rule reader says of our own bytes, in this process."""
    return parse_document(content, filename=None, media_type=None, limits=Limits())


def reading_of(
    fields: Mapping[str, FieldValue],
    *,
    outcome: Outcome = Outcome.ACCEPTED,
    findings: tuple[Finding, ...] = (),
    sha256: str = "00" * 32,
) -> Reading:
    """A reading with exactly these fields."""
    return Reading(outcome, findings, fields, (), sha256, "text", "text/plain")


async def submit(invoices: InvoiceService, principal: Principal, content: bytes) -> Invoice:
    """Received without a word about what it is."""
    return await invoices.receive(
        principal, content=content, filename=None, media_type=None, channel="api"
    )


async def submit_and_read(
    invoices: InvoiceService, submitter: Principal, agent: Principal, content: bytes
) -> Invoice:
    """Received and recorded as the rule reader reads it."""
    invoice = await submit(invoices, submitter, content)
    return await invoices.record_reading(agent, invoice.id, read(content), read_by="rules")
