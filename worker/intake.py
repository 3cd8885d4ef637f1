"""Owns starting an intake run: whose agent it is, with which doors and reader. Must never read itself."""

from agents.context import AgentContext
from agents.intake.graph import build_intake, run_intake
from agents.intake.state import IntakeResult
from agents.models import ModelSettings, invoice_reader
from tools.context import ToolContext
from treasurer.bootstrap import Core
from treasurer.documents.extraction import DocumentReaders
from treasurer.identity.store import users_with_roles
from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import InvoiceId, OrganizationId
from treasurer.kernel.organization import Principal, PrincipalKind, Role


class IntakeRunner:
    """Runs the intake graph for invoices of any organization."""

    def __init__(self, core: Core, documents: DocumentReaders) -> None:
        settings = core.settings
        self._core = core
        self._documents = documents
        self._graph = build_intake()
        self._reader = invoice_reader(
            ModelSettings(
                api_key=settings.openai_api_key,
                base_url=settings.openai_base_url,
                model=settings.openai_model,
            )
        )

    async def read_invoice(
        self, organization_id: OrganizationId, invoice_id: InvoiceId
    ) -> IntakeResult:
        """One run, as the organization's own agent."""
        context = AgentContext(
            tools=ToolContext(
                principal=await self._agent(organization_id),
                invoices=self._core.invoices,
                payments=self._core.payments,
                documents=self._documents,
            ),
            reader=self._reader,
        )
        return await run_intake(self._graph, context, invoice_id)

    async def _agent(self, organization_id: OrganizationId) -> Principal:
        async with self._core.database.unit(organization_id) as connection:
            users = await users_with_roles(connection, organization_id, frozenset({Role.SERVICE}))
        for user in users:
            if user.kind is PrincipalKind.AGENT:
                return user.principal
        raise InvariantViolated("AGENT_MISSING", "the organization has no active agent user")
