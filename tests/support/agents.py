"""What an intake run is given in tests: doors to the real services, a payment port that remembers."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from agents.budgets import Budget, BudgetMeter
from agents.context import AgentContext
from agents.intake.answer import ModelAnswer
from agents.models import InvoiceReader
from agents.offline import OfflineReader
from prompts.loader import RenderedPrompt
from tests.support.organization import TestOrganization
from tools.context import PaymentProposals, ToolContext
from treasurer.db.engine import Database
from treasurer.documents.limits import Limits
from treasurer.documents.parsing import parse_document
from treasurer.documents.reading import Reading
from treasurer.invoices.service import InvoiceService
from treasurer.kernel.errors import Conflict, TreasurerError
from treasurer.kernel.ids import InvoiceId, PaymentId
from treasurer.kernel.organization import Principal


class DocumentsInProcess:
    """Reads our own test documents without a child process."""

    def read_document(
        self, content: bytes, *, filename: str | None = None, media_type: str | None = None
    ) -> Reading:
        return parse_document(content, filename=filename, media_type=media_type, limits=Limits())


@dataclass(frozen=True)
class Proposal:
    """What the choke point was asked to pay. The recipient is the payee's, from the master."""

    invoice_id: InvoiceId
    payee_code: str | None
    currency: str | None
    amount_minor: int | None


@dataclass(frozen=True)
class FakePayment:
    id: PaymentId
    state: str
    order_digest: bytes


@dataclass
class FakePayments:
    """Stands for the payment service: proposes a ready invoice once, then answers with the same."""

    database: Database
    invoices: InvoiceService
    refusal: TreasurerError | None = None
    proposals: list[Proposal] = field(default_factory=list)
    payments: dict[UUID, FakePayment] = field(default_factory=dict)

    async def propose(self, principal: Principal, invoice_id: InvoiceId) -> FakePayment:
        if self.refusal is not None:
            raise self.refusal
        async with self.database.unit(principal.organization_id) as connection:
            moved = await connection.execute(
                text("UPDATE invoices SET state = 'proposed' WHERE id = :id AND state = 'reading'"),
                {"id": invoice_id},
            )
        if moved.rowcount != 1:
            if invoice_id in self.payments:
                return self.payments[invoice_id]
            raise Conflict("INVOICE_NOT_PROPOSABLE", "the invoice is not ready")
        invoice = await self.invoices.get(principal, invoice_id)
        self.proposals.append(
            Proposal(
                invoice_id,
                invoice.payee_code,
                invoice.currency.symbol if invoice.currency else None,
                invoice.payable_amount_minor,
            )
        )
        payment = FakePayment(PaymentId(uuid7()), "approved", b"\0" * 32)
        self.payments[invoice_id] = payment
        return payment


class ScriptedReader:
    """A model that answers as told, whatever the document says."""

    is_offline = False

    def __init__(self, *answers: ModelAnswer | TreasurerError, label: str = "scripted") -> None:
        self.label = label
        self.answers = list(answers)
        self.prompts: list[RenderedPrompt] = []

    async def read(self, prompt: RenderedPrompt, meter: BudgetMeter) -> ModelAnswer:
        self.prompts.append(prompt)
        answer = self.answers[min(len(self.prompts), len(self.answers)) - 1]
        if isinstance(answer, TreasurerError):
            raise answer
        return answer


def agent_context(
    organization: TestOrganization,
    invoices: InvoiceService,
    payments: PaymentProposals,
    *,
    reader: InvoiceReader | None = None,
    budget: Budget | None = None,
) -> AgentContext:
    tools = ToolContext(organization.agent, invoices, payments, DocumentsInProcess())
    return AgentContext(tools, reader or OfflineReader(), budget or Budget())
