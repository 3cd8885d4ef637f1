"""The door to payments: a proposal by the id of an invoice, and nothing else.

Recipient, amount, token and decimals are no arguments: they come from the master, the recorded
reading and the pinned registry, behind the door.
"""

from tools.arguments import InvoiceArguments
from tools.context import ProposedPayment, ToolContext


class ProposePayment(InvoiceArguments):
    """Propose to pay a read and matched invoice."""


async def propose_payment(context: ToolContext, arguments: ProposePayment) -> ProposedPayment:
    """The payment as the policy left it. Raises Conflict or InvalidInput when it cannot be proposed."""
    return await context.payments.propose(context.principal, arguments.id)
