"""Owns that nothing is paid over a network whose newest block is too old. Inclusive."""

from dataclasses import dataclass, replace
from datetime import timedelta

from policy.change import Change
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.requirement import duration_in_words
from policy.rule import Rule
from policy.verdict import Verdict, allows, missing, not_now, stale
from treasurer.kernel.money import Asset

_NAME = "network_health"
_NAMES = ("head_age_s", "limit_s")
_MISSING = missing(_NAME, "How the network does")
_STALE = stale(_NAME, "What is known of the network")
_LIVE = allows(
    _NAME,
    "NETWORK_LIVE",
    "The network's newest block is {head_age_s} s old, at most {limit_s} s.",
    *_NAMES,
)
_STALLED = not_now(
    _NAME,
    "NETWORK_STALLED",
    "The network's newest block is {head_age_s} s old; beyond {limit_s} s nothing is paid over it.",
    *_NAMES,
)


@dataclass(frozen=True, slots=True)
class NetworkHealth(Rule):
    """The newest block's age counts at the decision, so that a silent network grows old.

    A block that far in the future is as bad: one of the two clocks is wrong.
    """

    head_age: timedelta
    max_age: timedelta

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        found = facts.network
        if found is None:
            return _MISSING
        age = request.now - found.as_of
        if abs(age) > self.max_age:
            return _STALE, (age, self.max_age)
        head_age = request.now - found.head_at
        return (_LIVE if abs(head_age) <= self.head_age else _STALLED), (head_age, self.head_age)

    def describe(self, reporting: Asset) -> str:
        span = duration_in_words(self.head_age // timedelta(seconds=1))
        return f"Payments wait while the network's newest block is older than {span}."

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        if facts.network is None:
            return ()
        mined = replace(facts.network, head_at=request.now, as_of=request.now)
        return (Change(replace(facts, network=mined), "once the network makes blocks again"),)


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    terms = document.network
    if terms is None or terms.head_age is None:
        return ()
    head_age, max_age = (
        timedelta(seconds=span.seconds) for span in (terms.head_age, terms.max_age)
    )
    return (NetworkHealth(_NAME, head_age, max_age),)
