"""Owns how old the figures of our own books may be when a payment is decided on them."""

from dataclasses import dataclass, replace
from datetime import timedelta

from policy.change import Change
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.requirement import duration_in_words
from policy.rule import Rule
from policy.verdict import Verdict, allows, stale
from treasurer.kernel.money import Asset

_NAME = "ledger_age"
_FRESH = allows(_NAME, "LEDGER_FRESH", "Our own figures are {age_s} s old.", "age_s")
_STALE = stale(_NAME, "Our own figures")


@dataclass(frozen=True, slots=True)
class LedgerAge(Rule):
    """Judges `Facts.as_of`. A clock that is ahead by more than the limit is as bad as one behind."""

    max_age: timedelta

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        age = request.now - facts.as_of
        if abs(age) <= self.max_age:
            return _FRESH, (age,)
        return _STALE, (age, self.max_age)

    def describe(self, reporting: Asset) -> str:
        span = duration_in_words(self.max_age // timedelta(seconds=1))
        return f"Our own figures may be {span} old; on older ones a payment waits."

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        if self.weigh(request, facts)[0] is _FRESH:
            return ()
        return (Change(replace(facts, as_of=request.now), "if fresh figures were the same"),)


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    return (LedgerAge(_NAME, timedelta(seconds=document.max_age.ledger.seconds)),)
