"""Doors to invoices. Must never take a payee, a duplicate or a state from the caller: those are found
by the service itself when a reading is recorded.
"""

from typing import Annotated

from pydantic import StringConstraints

from tools.arguments import InvoiceArguments
from tools.context import ToolContext
from treasurer.documents.reading import Reading, Severity
from treasurer.invoices.assessment import Assessment
from treasurer.invoices.model import Invoice, InvoiceFinding

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{2,59}$")]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class ReadInvoice(InvoiceArguments):
    """Look at an invoice."""


class ReadAssessment(InvoiceArguments):
    """Ask what a reading would lead to: match, duplicates and state."""


class ProposeReading(InvoiceArguments):
    """Put forward what was read. `read_by` names the reader in the audit log."""

    read_by: Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]{1,200}$")]


class ProposeReview(InvoiceArguments):
    """Ask for a person instead of a payment, with the reason."""

    code: Code
    message: Sentence


async def read_invoice(context: ToolContext, arguments: ReadInvoice) -> Invoice:
    """The invoice as it stands. Raises NotFound, for another organization's too."""
    return await context.invoices.get(context.principal, arguments.id)


async def read_assessment(
    context: ToolContext, arguments: ReadAssessment, reading: Reading
) -> Assessment:
    """Advisory: what recording `reading` would lead to now."""
    return await context.invoices.assess(context.principal, arguments.id, reading)


async def propose_reading(
    context: ToolContext, arguments: ProposeReading, reading: Reading
) -> Invoice:
    """Record `reading`; the service finds payee and duplicates itself and sets the state.

    The invoice is ready for `propose_payment` only if it comes back in state `reading`.
    """
    return await context.invoices.record_reading(
        context.principal, arguments.id, reading, read_by=arguments.read_by
    )


async def propose_review(context: ToolContext, arguments: ProposeReview) -> Invoice:
    """Set a read invoice aside for a person. It can only stop money."""
    finding = InvoiceFinding(arguments.code, arguments.message, None, Severity.REVIEW)
    return await context.invoices.set_aside(context.principal, arguments.id, finding)
