"""Owns what one run may cost: steps, tokens, seconds. Must never be extended by what a run reads."""

from collections.abc import Callable
from dataclasses import dataclass

from treasurer.kernel.errors import Permanent

CHARACTERS_A_TOKEN = 3
"""A cautious estimate before a call; what was really used is counted after it."""


class BudgetExhausted(Permanent):
    """The run has used up what it may; it ends and a person takes over."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of one run. A clean intake takes eight steps and one model call."""

    steps: int = 16
    tokens: int = 60_000
    seconds: int = 90


class BudgetMeter:
    """Counts one run against its budget. `monotonic` gives seconds that never run backwards."""

    def __init__(self, budget: Budget, monotonic: Callable[[], float]) -> None:
        self._budget = budget
        self._monotonic = monotonic
        self._started = monotonic()
        self.steps = 0
        self.tokens = 0

    def step(self) -> None:
        """Count a step. Raises BudgetExhausted past the last one, or when the time is over."""
        self.steps += 1
        if self.steps > self._budget.steps:
            raise BudgetExhausted("AGENT_STEPS_EXHAUSTED", "the run took too many steps")
        if self.remaining_s <= 0:
            raise BudgetExhausted("AGENT_TIME_EXHAUSTED", "the run took too long")

    def require_tokens(self, characters: int) -> None:
        """Raise BudgetExhausted unless a call with that many characters still fits."""
        if self.tokens + characters // CHARACTERS_A_TOKEN > self._budget.tokens:
            raise BudgetExhausted(
                "AGENT_TOKENS_EXHAUSTED", "the document is too long for the reader's token budget"
            )

    def use_tokens(self, count: int) -> None:
        """Count what a call used. The next one is refused when nothing is left."""
        self.tokens += count

    @property
    def remaining_s(self) -> float:
        """Seconds left; zero or less when the time is over."""
        return self._budget.seconds - (self._monotonic() - self._started)
