"""Owns amounts far above what a payee is usually paid: the upper tail only, so that more is never milder.

Usual is the median of the newest settled payments; far is so many spreads (median absolute
deviations) above it. A payee that is always paid the same has no spread, so a tenth of the median
is the least that a spread is taken for. Inclusive.
"""

from dataclasses import dataclass

from policy.answer import ruling_for, told
from policy.background import HistoryFact
from policy.change import within_reporting
from policy.decision import ApprovalRequirement
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Ruling, Verdict, allows, missing
from treasurer.kernel.money import Asset

_NAME = "off_pattern"
_NAMES = ("amount_minor", "usual_minor", "most_minor", "payments")
_MISSING = missing(_NAME, "What this payee is usually paid")
_FEW = allows(
    _NAME, "TOO_FEW_PAYMENTS", "{payments} settled payments are too few for a pattern.", "payments"
)
_USUAL = allows(
    _NAME,
    "WITHIN_PATTERN",
    "{amount_minor} is within {most_minor}, the payee's pattern of {payments} payments.",
    *_NAMES,
)


@dataclass(frozen=True, slots=True)
class OffPattern(Rule):
    """Silent below `payments` settled ones: other rules look at new payees."""

    spreads: int
    payments: int
    off: Ruling

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        history = facts.history
        if history is None:
            return _MISSING
        if history.payments < self.payments:
            return _FEW, (history.payments,)
        amount_minor, most_minor = request.reporting_amount_minor, self._most(history)
        ruling = _USUAL if amount_minor <= most_minor else self.off
        return ruling, (amount_minor, history.median_minor, most_minor, history.payments)

    def describe(self, reporting: Asset) -> str:
        return (
            f"After {self.payments} payments to a payee, an amount more than {self.spreads} spreads"
            f" above its median is {told(self.off)}."
        )

    def bounds(self, request: PaymentRequest, facts: Facts) -> tuple[int, ...]:
        if facts.history is None or facts.history.payments < self.payments:
            return ()
        return (within_reporting(request, self._most(facts.history)),)

    def asks(self) -> tuple[ApprovalRequirement, ...]:
        return () if self.off.requirement is None else (self.off.requirement,)

    def _most(self, history: HistoryFact) -> int:
        spread_minor = max(history.spread_minor, history.median_minor // 10)
        return history.median_minor + self.spreads * spread_minor


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    terms = document.payees.off_pattern
    if terms is None:
        return ()
    wording = (
        "{amount_minor} is above {most_minor}: this payee's last {payments} payments were usually"
        " {usual_minor}."
    )
    expiry_s = document.approvals_expire_s
    off = ruling_for(terms.then, expiry_s, _NAME, "OFF_PATTERN", wording, *_NAMES)
    return (OffPattern(_NAME, terms.spreads, terms.payments, off),)
