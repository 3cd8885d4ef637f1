"""The door to documents. Must never hand out raw bytes, or text that a person could not see."""

import asyncio

from tools.arguments import InvoiceArguments
from tools.context import ToolContext
from treasurer.documents.reading import Reading


class ReadDocument(InvoiceArguments):
    """Read the document of an invoice by rules."""


async def read_document(context: ToolContext, arguments: ReadDocument) -> Reading:
    """What the rules read, with evidence, and the printed lines for a model to read as well.

    The bytes are parsed in a child process with limits, whatever the format: there alone it is told
    which text can be seen.
    """
    document = await context.invoices.document(context.principal, arguments.id)
    return await asyncio.to_thread(
        context.documents.read_document,
        document.content,
        filename=document.filename,
        media_type=document.media_type,
    )
