"""Owns the finance team's own rules: when a condition holds, a payment is denied, waits or is asked for."""

from dataclasses import dataclass

from policy.answer import ruling_for, told
from policy.change import within_reporting
from policy.condition import Condition
from policy.decision import ApprovalRequirement
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Ruling, Verdict, allows, missing
from treasurer.kernel.money import Asset


@dataclass(frozen=True, slots=True)
class Conditional(Rule):
    """Never permits: a condition can only make an answer stricter."""

    condition: Condition
    holds: Ruling
    silent: Verdict

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        unknown = self.condition.missing(request, facts)
        if unknown is not None:
            return missing(self.name, unknown)
        if self.condition.holds(request, facts):
            return self.holds, (request.reporting_amount_minor,)
        return self.silent

    def describe(self, reporting: Asset) -> str:
        return f"When {self.condition.in_words(reporting)}, a payment is {told(self.holds)}."

    def bounds(self, request: PaymentRequest, facts: Facts) -> tuple[int, ...]:
        return tuple(within_reporting(request, bound) for bound in self.condition.amounts_minor)

    def asks(self) -> tuple[ApprovalRequirement, ...]:
        return () if self.holds.requirement is None else (self.holds.requirement,)


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    rules = []
    for terms in document.rules or ():
        name = f"rule.{terms.name}"
        because = terms.when.in_words(document.reporting_asset)
        wording = f"For {{amount_minor}} it holds that {because}."
        holds = ruling_for(
            terms.then, document.approvals_expire_s, name, "RULE", wording, "amount_minor"
        )
        silent = allows(name, "RULE_SILENT", f"It does not hold that {because}.")
        rules.append(Conditional(name, terms.when, holds, (silent, ())))
    return tuple(rules)
