"""Owns the intake graph with its reader and its doors. Must never be imported before it is needed."""

from agents.context import AgentContext
from agents.intake.graph import build_intake, run_intake
from agents.intake.state import IntakeResult
from agents.models import ModelSettings, invoice_reader
from tools.context import ToolContext
from treasurer.bootstrap import Core
from treasurer.documents.extraction import DocumentReaders
from treasurer.kernel.ids import InvoiceId
from treasurer.kernel.organization import Principal


class Agency:
    """The compiled graph and the configured reader, for any number of runs."""

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

    async def run(self, agent: Principal, invoice_id: InvoiceId) -> IntakeResult:
        """One run, acting as `agent`."""
        context = AgentContext(
            tools=ToolContext(
                principal=agent,
                invoices=self._core.invoices,
                payments=self._core.payments,
                documents=self._documents,
            ),
            reader=self._reader,
        )
        return await run_intake(self._graph, context, invoice_id)
