"""Doors to documents. Must never hand raw bytes, or text that a person could not see, to a model."""

import asyncio

from tools.arguments import InvoiceArguments
from tools.context import ToolContext
from treasurer.documents.limits import Limits
from treasurer.documents.media import Document
from treasurer.documents.reading import Reading
from treasurer.documents.unicode import visible


class ReadDocument(InvoiceArguments):
    """Read the document of an invoice by rules."""


class ReadVisibleText(InvoiceArguments):
    """Get the text of a plain-text invoice, as a person would see it."""


async def read_document(context: ToolContext, arguments: ReadDocument) -> Reading:
    """What the rules read, with evidence. The bytes are parsed in a child process with limits."""
    document = await context.invoices.document(context.principal, arguments.id)
    return await asyncio.to_thread(
        context.documents.read_document,
        document.content,
        filename=document.filename,
        media_type=document.media_type,
    )


async def read_visible_text(
    context: ToolContext, arguments: ReadVisibleText, reading: Reading
) -> str | None:
    """The printed text without invisible characters; None where only the child process may see it.

    Decoding plain text is no parsing, so it happens here. A PDF's text layer stays in the child.
    """
    if reading.format != "text":
        return None
    document = await context.invoices.document(context.principal, arguments.id)
    text = Document(document.content, Limits()).text
    return None if text is None else visible(text)
