"""Owns the order of an intake run: classify → read → ground → check → match payee → detect duplicate
→ propose | review | reject. The run ends there; it never waits for a person.

No checkpointer: a run that dies is run again from its start, and its doors make that harmless.
"""

from typing import Literal

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langsmith.run_helpers import tracing_context

from agents.budgets import BudgetExhausted, BudgetMeter
from agents.context import AgentContext
from agents.intake import nodes
from agents.intake.state import IntakeOutcome, IntakeResult, IntakeRun, IntakeState
from agents.recorder import RunRecorder
from treasurer.invoices.model import UNREAD, Invoice, InvoiceState
from treasurer.kernel.ids import InvoiceId

IntakeGraph = CompiledStateGraph[IntakeState, IntakeRun, IntakeState, IntakeState]

_OUTCOMES = {
    InvoiceState.PROPOSED: IntakeOutcome.PROPOSED,
    InvoiceState.PAID: IntakeOutcome.PROPOSED,
    InvoiceState.CREDITED: IntakeOutcome.CREDITED,
    InvoiceState.DUPLICATE: IntakeOutcome.DUPLICATE,
    InvoiceState.REJECTED: IntakeOutcome.REJECTED,
    InvoiceState.UNPACKED: IntakeOutcome.UNPACKED,
}


def build_intake() -> IntakeGraph:
    """Compile the graph, once a process: it holds no state between runs."""
    graph = StateGraph(IntakeState, context_schema=IntakeRun)
    graph.add_node("classify", nodes.classify)
    graph.add_node("read", nodes.read)
    graph.add_node("ground", nodes.ground_values)
    graph.add_node("check", nodes.check)
    graph.add_node("match_payee", nodes.match_payee)
    graph.add_node("detect_duplicate", nodes.detect_duplicate)
    graph.add_node("propose", nodes.propose)
    graph.add_node("review", nodes.review)
    graph.add_node("reject", nodes.reject)
    graph.add_edge(START, "classify")
    graph.add_conditional_edges("classify", _unread)
    graph.add_edge("read", "ground")
    graph.add_edge("ground", "check")
    graph.add_edge("check", "match_payee")
    graph.add_edge("match_payee", "detect_duplicate")
    graph.add_conditional_edges("detect_duplicate", _direction)
    for last in ("propose", "review", "reject"):
        graph.add_edge(last, END)
    return graph.compile()


def start_run(context: AgentContext) -> IntakeRun:
    """A fresh meter and recorder for one run."""
    reader = context.reader
    version = None if reader.is_offline else nodes.PROMPT.version
    return IntakeRun(
        given=context,
        meter=BudgetMeter(context.budget, context.monotonic),
        recorder=RunRecorder(reader=reader.label, prompt_version=version),
    )


async def run_intake(
    graph: IntakeGraph, context: AgentContext, invoice_id: InvoiceId
) -> IntakeResult:
    """Read one invoice and propose what follows from it. Safe to repeat, and to run twice at once.

    Raises NotFound for an invoice that the agent's organization does not have; Transient when a door
    is out of order, for the job to be tried again.
    """
    run = start_run(context)
    # Documents stay in the house, whatever the environment says about tracing.
    with tracing_context(enabled=False):
        try:
            state = await graph.ainvoke({"invoice_id": invoice_id}, context=run)
        except BudgetExhausted as over:
            state = await nodes.record_exhausted(run, invoice_id, over.code, over.message)
    invoice: Invoice = state["invoice"]
    return IntakeResult(
        invoice=invoice,
        outcome=_OUTCOMES.get(invoice.state, IntakeOutcome.REVIEW),
        payment_id=state.get("payment_id"),
        record=run.recorder.record(),
    )


def _unread(state: IntakeState) -> Literal["read", "__end__"]:
    return "read" if state["invoice"].state in UNREAD else "__end__"


def _direction(state: IntakeState) -> Literal["propose", "review", "reject"]:
    match state["assessment"].state:
        case InvoiceState.READING:
            return "propose"
        case InvoiceState.REJECTED:
            return "reject"
        case _:
            return "review"
