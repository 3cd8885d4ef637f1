"""Owns when payments go out: days, hours and holidays on the clocks of one zone.

The opening minute is inside, the closing one outside. What must not be decided by a clock of our own
arrives as a fact: the local time.
"""

from dataclasses import dataclass, replace

from policy.answer import ruling_for, told
from policy.change import Change
from policy.decision import ApprovalRequirement
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Ruling, Verdict, allows, missing
from treasurer.kernel.money import Asset

_NAME = "business_hours"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES = ("local_date", "local_time", "zone")
_MISSING = missing(_NAME, "The local time")
_INSIDE = allows(
    _NAME, "BUSINESS_HOURS", "{local_date} {local_time} in {zone} is within hours.", *_NAMES
)


@dataclass(frozen=True, slots=True)
class BusinessHours(Rule):
    """`weekdays` count from 1 for Monday; `opens` and `closes` are minutes of the day."""

    zone: str
    weekdays: frozenset[int]
    opens: int
    closes: int
    holidays: frozenset[str]
    outside: Ruling

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        local = facts.local_time
        if local is None or local.zone != self.zone:
            return _MISSING
        inside = (
            local.weekday in self.weekdays
            and self.opens <= local.minute < self.closes
            and local.date not in self.holidays
        )
        return (_INSIDE if inside else self.outside), (local.date, _clock(local.minute), self.zone)

    def describe(self, reporting: Asset) -> str:
        days = ", ".join(_DAYS[day - 1] for day in sorted(self.weekdays))
        but = f" but on {len(self.holidays)} holidays" if self.holidays else ""
        return (
            f"Outside of {_clock(self.opens)} to {_clock(self.closes)} in {self.zone} on {days}{but},"
            f" a payment is {told(self.outside)}."
        )

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        local = facts.local_time
        if local is None or self.weigh(request, facts)[0] is not self.outside:
            return ()
        workday = replace(local, date="", weekday=min(self.weekdays), minute=self.opens)
        return (Change(replace(facts, local_time=workday), "within business hours"),)

    def asks(self) -> tuple[ApprovalRequirement, ...]:
        return () if self.outside.requirement is None else (self.outside.requirement,)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    terms = document.hours
    if terms is None:
        return ()
    if terms.opens >= terms.closes:
        raise ValueError("hours end after they begin; write two rules for a night shift")
    wording = "{local_date} {local_time} in {zone} is outside of business hours."
    outside = ruling_for(
        terms.outside, document.approvals_expire_s, _NAME, "OUTSIDE_HOURS", wording, *_NAMES
    )
    weekdays = frozenset(_DAYS.index(day) + 1 for day in terms.days)
    holidays = frozenset(terms.holidays or ())
    return (
        BusinessHours(_NAME, terms.zone, weekdays, terms.opens, terms.closes, holidays, outside),
    )
