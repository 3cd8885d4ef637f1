"""Owns canary ramps: what is new starts with small caps a day, which grow with its age. Inclusive.

The cap binds the sum of 24 hours, not one payment, because a cap on one payment is split.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from policy.background import ScopedSum
from policy.change import Change, within_reporting
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.requirement import duration_in_words
from policy.rule import Rule
from policy.scopes import Period, Scope, Window
from policy.terms import RampStep
from policy.verdict import Ruling, Verdict, allows, denies, missing, stale
from treasurer.kernel.money import Asset, format_minor

_NAMES = ("amount_minor", "spent_minor", "limit_minor")


@dataclass(frozen=True, slots=True)
class Ramp(Rule):
    """`steps` ascend in age and cap; below the age of a step its cap binds. An unborn is youngest.

    `of_policy` chooses what is new: the policy set, or the payee's address.
    """

    of_policy: bool
    steps: tuple[tuple[timedelta, int], ...]
    window: Window
    max_age: timedelta
    what: str
    unknown: Verdict
    old: Ruling
    grown: Verdict
    within: Ruling
    above: Ruling

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        since = self._since(facts)
        if since is None:
            return self.unknown
        limit_minor = self._cap(request.now - since)
        if limit_minor is None:
            return self.grown
        found = facts.window(self.window)
        if found is None:
            return self.unknown
        age = request.now - found.as_of
        if abs(age) > self.max_age:
            return self.old, (age, self.max_age)
        amount_minor, spent_minor = request.reporting_amount_minor, found.sum_minor
        ruling = self.within if spent_minor + amount_minor <= limit_minor else self.above
        return ruling, (amount_minor, spent_minor, limit_minor)

    def describe(self, reporting: Asset) -> str:
        steps = ", ".join(
            f"{format_minor(minor, reporting)} a day under {duration_in_words(age // _SECOND)}"
            for age, minor in self.steps
        )
        return f"While {self.what} is new, it is paid at most: {steps}."

    def bounds(self, request: PaymentRequest, facts: Facts) -> tuple[int, ...]:
        ruling, values = self.weigh(request, facts)
        if ruling is not self.within and ruling is not self.above:
            return ()
        _, spent_minor, limit_minor = values
        assert isinstance(spent_minor, int) and isinstance(limit_minor, int)
        return (within_reporting(request, limit_minor - spent_minor),)

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        ruling, _ = self.weigh(request, facts)
        if ruling is self.old:
            found = facts.window(self.window)
            assert found is not None
            others = tuple(f for f in facts.windows or () if f.window != self.window)
            fresh = (*others, ScopedSum(self.window, found.sum_minor, request.now))
            return (Change(replace(facts, windows=fresh), "if a fresh sum were the same"),)
        if ruling is not self.above:
            return ()
        oldest, _ = self.steps[-1]
        since = request.now - oldest
        if self.of_policy:
            aged = replace(facts, policy_since=since)
        else:
            assert facts.payee is not None
            aged = replace(facts, payee=replace(facts.payee, address_since=since))
        return (Change(aged, f"once {self.what} is {duration_in_words(oldest // _SECOND)} old"),)

    def windows(self) -> tuple[Window, ...]:
        return (self.window,)

    def _since(self, facts: Facts) -> datetime | None:
        if self.of_policy:
            return facts.policy_since
        return None if facts.payee is None else facts.payee.address_since

    def _cap(self, age: timedelta) -> int | None:
        for under, limit_minor in self.steps:
            if age < under:
                return limit_minor
        return None


_SECOND = timedelta(seconds=1)


def _ramp(
    name: str, what: str, steps: Sequence[RampStep], scope: Scope, max_age: timedelta
) -> Ramp:
    bounds = [(step.under.seconds, step.at_most.minor) for step in steps]
    if any(b[0] <= a[0] or b[1] < a[1] for a, b in pairwise(bounds)):
        raise ValueError("a ramp's steps grow: each reaches a greater age and no smaller amount")
    wording = (
        f"While {what} is new it is paid {{limit_minor}} a day:"
        " {spent_minor} and this {amount_minor} are {} that."
    )
    return Ramp(
        name=name,
        of_policy=scope is Scope.ORGANIZATION,
        steps=tuple((timedelta(seconds=seconds), minor) for seconds, minor in bounds),
        window=Window(scope, Period.DAY),
        max_age=max_age,
        what=what,
        unknown=missing(name, f"How new {what} is, or what it was paid,"),
        old=stale(name, "The sum of 24 hours"),
        grown=(allows(name, "RAMP_OVER", f"The time of small caps for {what} is over."), ()),
        within=allows(name, "WITHIN_RAMP", wording.replace("{}", "within"), *_NAMES),
        above=denies(name, "RAMP", wording.replace("{}", "above"), *_NAMES),
    )


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    terms = document.ramp
    if terms is None:
        return ()
    max_age = timedelta(seconds=document.max_age.ledger.seconds)
    rules = []
    if terms.new_address is not None:
        steps = terms.new_address
        rules.append(_ramp("ramp.new_address", "the address", steps, Scope.PAYEE, max_age))
    if terms.new_policy is not None:
        steps = terms.new_policy
        rules.append(_ramp("ramp.new_policy", "the policy", steps, Scope.ORGANIZATION, max_age))
    return tuple(rules)
