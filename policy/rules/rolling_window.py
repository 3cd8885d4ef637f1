"""Owns the cap on what may leave in 24 hours, whatever the payee or token. Inclusive.

The sum is a fact: in-flight payments whatever their age and settled ones since their settlement, in
the reporting currency rounded up, without the payment in question.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from policy.change import Change, within_reporting
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Verdict, allows, denies, missing, stale
from treasurer.kernel.money import Asset, format_minor

_NAME = "rolling_24h"
_NAMES = ("amount_minor", "spent_minor", "limit_minor")
_MISSING = missing(_NAME, "What was paid in the last 24 hours")
_STALE = stale(_NAME, "The sum of the last 24 hours")
_WITHIN = allows(
    _NAME,
    "WITHIN_24H_LIMIT",
    "{spent_minor} of the last 24 hours and this {amount_minor}"
    " are within the limit of {limit_minor}.",
    *_NAMES,
)
_ABOVE = denies(
    _NAME,
    "LIMIT_24H",
    "{spent_minor} of the last 24 hours and this {amount_minor}"
    " together are above the limit of {limit_minor}.",
    *_NAMES,
)


@dataclass(frozen=True, slots=True)
class RollingWindow(Rule):
    """That concurrent payments cannot pass together is the work of the reserve step (I16)."""

    limit_minor: int
    max_age: timedelta

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        window = facts.spent_24h
        if window is None:
            return _MISSING
        age = request.now - window.as_of
        if abs(age) > self.max_age:
            return _STALE, (age, self.max_age)
        amount_minor = request.reporting_amount_minor
        spent_minor, limit_minor = window.sum_minor, self.limit_minor
        ruling = _WITHIN if spent_minor + amount_minor <= limit_minor else _ABOVE
        return ruling, (amount_minor, spent_minor, limit_minor)

    def describe(self, reporting: Asset) -> str:
        limit = format_minor(self.limit_minor, reporting)
        return f"All payments of 24 hours together are at most {limit}."

    def bounds(self, request: PaymentRequest, facts: Facts) -> tuple[int, ...]:
        if facts.spent_24h is None:
            return ()
        return (within_reporting(request, self.limit_minor - facts.spent_24h.sum_minor),)

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        window = facts.spent_24h
        if window is None:
            return ()
        if self.weigh(request, facts)[0] is _STALE:
            fresh = replace(facts, spent_24h=replace(window, as_of=request.now))
            return (Change(fresh, "if a fresh sum of the last 24 hours were the same"),)
        room_minor = self.limit_minor - request.reporting_amount_minor
        if not 0 <= room_minor < window.sum_minor:
            return ()
        emptied = replace(facts, spent_24h=replace(window, sum_minor=room_minor))
        condition = "once the sum of the last 24 hours is {reporting} or less"
        return (Change(emptied, condition, reporting_minor=room_minor),)


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    terms = document.limits.rolling_24h
    if terms is None:
        return ()
    max_age = timedelta(seconds=document.max_age.ledger.seconds)
    return (RollingWindow(_NAME, terms.at_most.minor, max_age),)
