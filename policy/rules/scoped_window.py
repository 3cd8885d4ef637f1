"""Owns the caps on what may leave within a period, kept apart by payee, initiator, token and so on.

Inclusive. The sums are facts: in flight whatever its age and settled since its settlement, in the
reporting currency rounded up, without the payment in question.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from policy.background import ScopedSum
from policy.change import Change, within_reporting
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.scopes import Period, Scope, Window, key_of
from policy.scoping import scoped
from policy.verdict import Ruling, Verdict, allows, denies, missing, stale
from treasurer.kernel.money import Asset, format_minor

_NAMES = ("amount_minor", "spent_minor", "limit_minor")
_OF = {
    Scope.ORGANIZATION: "all payments",
    Scope.PAYEE: "payments to one payee",
    Scope.INITIATOR: "payments proposed by one initiator",
    Scope.AGENT: "payments proposed by agents",
    Scope.ASSET: "payments in one token",
    Scope.NETWORK: "payments on one network",
    Scope.CATEGORY: "payments to payees of one category",
}
_IN = {
    Period.DAY: "24 hours",
    Period.WEEK: "7 days",
    Period.THIRTY_DAYS: "30 days",
    Period.MONTH: "the calendar month",
}


@dataclass(frozen=True, slots=True)
class ScopedWindow(Rule):
    """A payment that belongs to no sum of the scope is not held against it.

    `category` binds the rule to one category's payees; None: each key has the limit of its own.
    """

    window: Window
    limit_minor: int
    max_age: timedelta
    category: str | None
    what: str
    within: Ruling
    above: Ruling
    elsewhere: Verdict
    unknown: Verdict
    old: Ruling

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        known_category = None if facts.payee is None else facts.payee.category
        if self.window.scope is Scope.CATEGORY and known_category is None:
            return self.unknown
        key = key_of(self.window.scope, request, known_category)
        if key is None or (self.category is not None and key != self.category):
            return self.elsewhere
        found = facts.window(self.window)
        if found is None:
            return self.unknown
        age = request.now - found.as_of
        if abs(age) > self.max_age:
            return self.old, (age, self.max_age)
        amount_minor, spent_minor = request.reporting_amount_minor, found.sum_minor
        ruling = self.within if spent_minor + amount_minor <= self.limit_minor else self.above
        return ruling, (amount_minor, spent_minor, self.limit_minor)

    def describe(self, reporting: Asset) -> str:
        limit = format_minor(self.limit_minor, reporting)
        return f"Within {_IN[self.window.period]}, {self.what} together are at most {limit}."

    def bounds(self, request: PaymentRequest, facts: Facts) -> tuple[int, ...]:
        ruling, values = self.weigh(request, facts)
        if ruling is not self.within and ruling is not self.above:
            return ()
        spent_minor = values[1]
        assert isinstance(spent_minor, int)
        return (within_reporting(request, self.limit_minor - spent_minor),)

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        ruling, _ = self.weigh(request, facts)
        found = facts.window(self.window)
        if found is None:
            return ()
        if ruling is self.old:
            fresh = _with(facts, replace(found, as_of=request.now))
            return (Change(fresh, f"if a fresh sum of {self.what} were the same"),)
        room_minor = self.limit_minor - request.reporting_amount_minor
        if ruling is not self.above or room_minor < 0:
            return ()
        emptied = _with(facts, replace(found, sum_minor=room_minor))
        condition = (
            f"once {self.what} within {_IN[self.window.period]} sum to {{reporting}} or less"
        )
        return (Change(emptied, condition, reporting_minor=room_minor),)

    def windows(self) -> tuple[Window, ...]:
        return (self.window,)


def _with(facts: Facts, changed: ScopedSum) -> Facts:
    others = tuple(found for found in facts.windows or () if found.window != changed.window)
    return replace(facts, windows=(*others, changed))


def window_rule(
    name: str,
    window: Window,
    limit_minor: int,
    max_age: timedelta,
    code: str,
    *,
    category: str | None = None,
) -> ScopedWindow:
    """The rule for one window, also for a budget, which is the window of one category."""
    what = _OF[window.scope] if category is None else f"payments to payees of category {category}"
    wording = (
        f"{{spent_minor}} of {what} within {_IN[window.period]} and this {{amount_minor}}"
        " together are {} the limit of {limit_minor}."
    )
    within = allows(name, f"WITHIN_{code}", wording.replace("{}", "within"), *_NAMES)
    return ScopedWindow(
        name=name,
        window=window,
        limit_minor=limit_minor,
        max_age=max_age,
        category=category,
        what=what,
        within=within,
        above=denies(name, code, wording.replace("{}", "above"), *_NAMES),
        elsewhere=(allows(name, "LIMIT_ELSEWHERE", f"The limit of {what} does not apply."), ()),
        unknown=missing(name, f"The sum of {what}"),
        old=stale(name, f"The sum of {what}"),
    )


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    max_age = timedelta(seconds=document.max_age.ledger.seconds)
    rules = []
    for index, terms in enumerate(document.limits.windows or (), start=1):
        window = Window(terms.by, terms.over)
        # Several limits may stand over one window, each where its own condition holds.
        name = f"window.{window}" if terms.when is None else f"window.{window}.{index}"
        limit = window_rule(name, window, terms.at_most.minor, max_age, "WINDOW_LIMIT")
        rules.append(scoped(limit, terms.when))
    return tuple(rules)
