"""Doors to the payee master. Reading only: no agent creates, changes or verifies a payee."""

from tools.arguments import ToolArguments
from tools.context import ToolContext
from treasurer.documents.reading import Reading
from treasurer.invoices.matching import Match


class ReadPayeeMatch(ToolArguments):
    """Ask whom in the master a reading means."""


async def read_payee_match(
    context: ToolContext, arguments: ReadPayeeMatch, reading: Reading
) -> Match:
    """The one payee on whom all marks of the reading agree, or none with the reason."""
    return await context.invoices.match(context.principal, reading)
