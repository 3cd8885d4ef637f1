"""Owns limits that bind only where a condition holds.

Must never let a limit go because a fact is missing.
"""

from dataclasses import dataclass

from policy.change import Change
from policy.condition import Condition
from policy.decision import ApprovalRequirement
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.scopes import Window
from policy.verdict import Verdict, allows, missing
from treasurer.kernel.money import Asset


@dataclass(frozen=True, slots=True)
class Scoped(Rule):
    """`inner` where `condition` holds, which never speaks of the amount; no objection elsewhere."""

    inner: Rule
    condition: Condition
    elsewhere: Verdict

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        unknown = self.condition.missing(request, facts)
        if unknown is not None:
            return missing(self.name, unknown)
        if self.condition.holds(request, facts):
            return self.inner.weigh(request, facts)
        return self.elsewhere

    def describe(self, reporting: Asset) -> str:
        return f"Where {self.condition.in_words(reporting)}: {self.inner.describe(reporting)}"

    def bounds(self, request: PaymentRequest, facts: Facts) -> tuple[int, ...]:
        return self.inner.bounds(request, facts) if self._binds(request, facts) else ()

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        return self.inner.changes(request, facts) if self._binds(request, facts) else ()

    def asks(self) -> tuple[ApprovalRequirement, ...]:
        return self.inner.asks()

    def windows(self) -> tuple[Window, ...]:
        return self.inner.windows()

    def _binds(self, request: PaymentRequest, facts: Facts) -> bool:
        return self.condition.missing(request, facts) is None and self.condition.holds(
            request, facts
        )


def scoped(rule: Rule, condition: Condition | None) -> Rule:
    """The rule, bound to the condition if there is one."""
    if condition is None:
        return rule
    wording = "Its condition does not hold."
    return Scoped(rule.name, rule, condition, (allows(rule.name, "LIMIT_ELSEWHERE", wording), ()))
