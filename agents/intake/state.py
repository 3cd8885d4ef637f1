"""Owns what the nodes of an intake run hand on, and how a run can end. Nothing here outlives a run."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from agents.budgets import BudgetMeter
from agents.context import AgentContext
from agents.intake.grounding import Grounded
from agents.recorder import RunRecord, RunRecorder
from treasurer.documents.reading import Reading
from treasurer.invoices.assessment import Assessment
from treasurer.invoices.matching import Match
from treasurer.invoices.model import Invoice
from treasurer.kernel.ids import InvoiceId, PaymentId


class IntakeOutcome(StrEnum):
    PROPOSED = "proposed"
    REVIEW = "review"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    UNPACKED = "unpacked"
    CREDITED = "credited"


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """How a run ended. `payment_id` is set when a payment was proposed in this run or an earlier one
    of the same invoice was answered with.
    """

    invoice: Invoice
    outcome: IntakeOutcome
    payment_id: PaymentId | None
    record: RunRecord


class IntakeState(TypedDict, total=False):
    """Filled from node to node. `reading` is the rules' at first, then the reconciled one."""

    invoice_id: InvoiceId
    invoice: Invoice
    reading: Reading
    values: dict[str, str]
    grounded: tuple[Grounded, ...]
    match: Match
    assessment: Assessment
    payment_id: PaymentId | None


@dataclass(frozen=True, slots=True)
class IntakeRun:
    """One run's context for its nodes: what it was given, and what it has used and done so far."""

    given: AgentContext
    meter: BudgetMeter
    recorder: RunRecorder
