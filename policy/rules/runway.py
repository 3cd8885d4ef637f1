"""Owns how long the cash must last after a payment. Inclusive: exactly the floor passes.

Runway in days = (cash - amount) x 30 / monthly burn, compared without dividing. Cash is
what is left after other payments' holds; this payment's own hold is not yet taken off.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from policy.change import Change, within_reporting
from policy.decision import ApprovalRequirement, Outcome
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.requirement import in_words
from policy.rule import Rule
from policy.verdict import Ruling, Verdict, allows, denies, missing, stale
from treasurer.kernel.money import Asset

MONTH_DAYS = 30
"""Days in the month of a monthly burn."""

_NAME = "runway"
_NAMES = ("cash_after_minor", "burn_monthly_minor", "runway_days", "floor_days")
_MISSING = missing(_NAME, "The runway")
_STALE = stale(_NAME, "The runway")
_NO_BURN: Verdict = allows(_NAME, "RUNWAY_WITHOUT_BURN", "Nothing is burned, so cash lasts."), ()
_LONG = allows(
    _NAME,
    "RUNWAY_LONG_ENOUGH",
    "Afterwards the cash lasts {runway_days} days; {floor_days} are wanted.",
    *_NAMES,
)
_HARD = denies(
    _NAME,
    "RUNWAY_BELOW_HARD_FLOOR",
    "Afterwards {cash_after_minor} lasts {runway_days} days at {burn_monthly_minor} a month;"
    " below {floor_days} days nothing is paid.",
    *_NAMES,
)
_SOFT_WORDING = (
    "Afterwards {cash_after_minor} lasts {runway_days} days at {burn_monthly_minor} a month;"
    " below {floor_days} days somebody must agree."
)


@dataclass(frozen=True, slots=True)
class Runway(Rule):
    """Approval below `soft_days` and where cash or burn is unknown, denial below `hard_days`."""

    hard_days: int
    soft_days: int
    max_age: timedelta
    soft: Ruling
    unknown: Verdict
    requirement: ApprovalRequirement

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        runway = facts.runway
        if runway is None:
            return _MISSING
        cash_minor, burn_minor = runway.cash_minor, runway.burn_monthly_minor
        age = request.now - runway.as_of
        if abs(age) > self.max_age:
            return _STALE, (age, self.max_age)
        if cash_minor is None or burn_minor is None:
            return self.unknown
        after_minor = cash_minor - request.reporting_amount_minor
        if burn_minor <= 0 <= after_minor:
            return _NO_BURN
        scaled = after_minor * MONTH_DAYS
        days = max(0, scaled // burn_minor) if burn_minor > 0 else 0
        if after_minor < 0 or scaled < self.hard_days * burn_minor:
            return _HARD, (after_minor, burn_minor, days, self.hard_days)
        ruling = self.soft if scaled < self.soft_days * burn_minor else _LONG
        return ruling, (after_minor, burn_minor, days, self.soft_days)

    def describe(self, reporting: Asset) -> str:
        return (
            f"If cash would last less than {self.soft_days} days, or nobody knows how long,"
            f" a payment needs approval by {in_words(self.requirement)};"
            f" below {self.hard_days} days it is denied."
        )

    def bounds(self, request: PaymentRequest, facts: Facts) -> tuple[int, ...]:
        runway = facts.runway
        if runway is None or runway.cash_minor is None or runway.burn_monthly_minor is None:
            return ()
        return tuple(
            within_reporting(request, runway.cash_minor - _kept(days, runway.burn_monthly_minor))
            for days in (self.soft_days, self.hard_days)
        )

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        runway = facts.runway
        if runway is None:
            return ()
        if self.weigh(request, facts)[0] is _STALE:
            fresh = replace(facts, runway=replace(runway, as_of=request.now))
            return (Change(fresh, "if fresh runway figures were the same"),)
        if runway.cash_minor is None or runway.burn_monthly_minor is None:
            return ()
        changes = []
        for days in (self.soft_days, self.hard_days):
            needed_minor = _kept(days, runway.burn_monthly_minor) + request.reporting_amount_minor
            if runway.cash_minor < needed_minor:
                richer = replace(facts, runway=replace(runway, cash_minor=needed_minor))
                condition = "if cash were {reporting} or more"
                changes.append(Change(richer, condition, reporting_minor=needed_minor))
        return tuple(changes)

    def asks(self) -> tuple[ApprovalRequirement, ...]:
        return (self.requirement,)


def _kept(days: int, burn_monthly_minor: int) -> int:
    """The least cash that lasts `days` at this burn, rounded up."""
    return max(0, -(-days * burn_monthly_minor // MONTH_DAYS))


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    terms = document.runway
    if terms is None:
        return ()
    asked = terms.ask.requirement(document.approvals_expire_s)
    approval = Outcome.REQUIRE_APPROVAL
    soft = Ruling(
        _NAME, "RUNWAY_BELOW_SOFT_FLOOR", approval, _SOFT_WORDING, _NAMES, requirement=asked
    )
    unknown = Ruling(
        _NAME,
        "RUNWAY_UNKNOWN",
        approval,
        "Nobody knows how long the cash lasts: cash or monthly burn is not declared.",
        requirement=asked,
    )
    max_age = timedelta(seconds=terms.max_age.seconds)
    return (Runway(_NAME, terms.deny_below, terms.ask_below, max_age, soft, (unknown, ()), asked),)
