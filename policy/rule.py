"""Owns the shape of a rule: a small pure function with its parameters, and the words for them.

Must never hold state or look at anything but request and facts. A new rule is one file in
`policy/rules/` and one line in its registry.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from policy.change import Change
from policy.decision import ApprovalRequirement
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.scopes import Window
from policy.verdict import Verdict
from treasurer.kernel.money import Asset


@dataclass(frozen=True, slots=True)
class Rule(ABC):
    """A compiled rule. `name` is unique in a policy set.

    Amounts may only appear monotonically: a greater amount never gets a milder verdict. What
    depends on the amount in steps (tiers) is proved monotone by the compiler; the rest is by form:
    a single comparison, allowed up to and including a bound.
    """

    name: str

    @abstractmethod
    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        """What this rule says. May raise: the engine turns that into a denial."""

    @abstractmethod
    def describe(self, reporting: Asset) -> str:
        """What this rule means, in a sentence for a CFO."""

    def bounds(self, request: PaymentRequest, facts: Facts) -> tuple[int, ...]:
        """Amounts in the token's base units at which this rule is still as mild as below them."""
        return ()

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        """Other facts under which this rule might be milder; each is weighed before it is told."""
        return ()

    def asks(self) -> tuple[ApprovalRequirement, ...]:
        """Every requirement that this rule may put up."""
        return ()

    def windows(self) -> tuple[Window, ...]:
        """The sums that this rule needs as facts."""
        return ()
