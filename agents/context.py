"""Owns what a run is given from outside. Must never carry a key, a session or a policy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from agents.budgets import Budget
from agents.models import InvoiceReader
from tools.context import ToolContext


@dataclass(frozen=True, slots=True)
class AgentContext:
    """The doors, the reader and the budget of one run."""

    tools: ToolContext
    reader: InvoiceReader
    budget: Budget = field(default_factory=Budget)
    monotonic: Callable[[], float] = monotonic
