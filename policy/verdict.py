"""Owns what a rule answers while it is weighed: a ruling made beforehand and the numbers of now.

Must never format text: a verdict is made twenty times a decision, and words are needed once.
`policy.wording` turns it into a `Finding`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from policy.decision import ApprovalRequirement, Outcome

Value = int | str | datetime | timedelta
"""What a verdict may carry; instants and spans become text and seconds when it is worded."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """One thing that a rule can say, fixed when the policy set is compiled.

    `names` name the verdict's values in order. A name that ends in `_token_minor` is an amount of
    the payment's asset, other `_minor` ones are of the reporting currency. `wording` refers to the
    names in braces. `permits` marks the positive word without which a payment is denied.
    """

    rule: str
    code: str
    outcome: Outcome
    wording: str
    names: tuple[str, ...] = ()
    retriable: bool = False
    permits: bool = False
    requirement: ApprovalRequirement | None = None

    decides: bool = field(init=False)
    """Whether it bears on the outcome; an ALLOW that does not permit is a mere no-objection."""

    def __post_init__(self) -> None:
        asks = self.outcome is Outcome.REQUIRE_APPROVAL
        if asks is (self.requirement is None):
            raise ValueError(f"{self.rule}/{self.code}: asking and a requirement go together")
        object.__setattr__(self, "decides", self.outcome is not Outcome.ALLOW or self.permits)


Verdict: TypeAlias = tuple[Ruling, tuple[Value, ...]]
"""What one rule says of one payment: a ruling, and the values of its `names`, one to one.

A plain tuple, because twenty are made a decision and a frozen dataclass takes five times as long.
"""


def allows(rule: str, code: str, wording: str, *names: str) -> Ruling:
    """A rule's no-objection."""
    return Ruling(rule, code, Outcome.ALLOW, wording, names)


def denies(rule: str, code: str, wording: str, *names: str) -> Ruling:
    """A denial for good."""
    return Ruling(rule, code, Outcome.DENY, wording, names)


def not_now(rule: str, code: str, wording: str, *names: str) -> Ruling:
    """A denial that may pass by itself: the payment keeps its state and is tried again."""
    return Ruling(rule, code, Outcome.DENY, wording, names, retriable=True)


def missing(rule: str, fact: str) -> Verdict:
    """The denial of a rule whose fact could not be had."""
    wording = "{fact} could not be determined just now."
    return not_now(rule, "FACT_MISSING", wording, "fact"), (fact,)


def stale(rule: str, fact: str) -> Ruling:
    """The denial of a rule whose fact is older, or farther in the future, than the set permits."""
    return not_now(
        rule,
        "FACT_STALE",
        f"{fact} is {{age_s}} s old; figures older than {{limit_s}} s are not used.",
        "age_s",
        "limit_s",
    )
