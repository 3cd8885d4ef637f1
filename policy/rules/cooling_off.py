"""Owns the rest of a new or changed address before it may be paid.

An attacker who changes a payee's address counts on nobody noticing in time.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from policy.change import Change
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.requirement import duration_in_words
from policy.rule import Rule
from policy.verdict import Verdict, allows, denies, missing
from treasurer.kernel.clock import iso
from treasurer.kernel.money import Asset

_NAME = "cooling_off"
_MISSING = missing(_NAME, "When the payee's address was verified")
_OVER: Verdict = (
    allows(_NAME, "COOLING_OFF_OVER", "The payee's address is past its cooling-off."),
    (),
)
# Not retriable: parked until the rest is over, a payment would go out just when nobody looks.
_RESTING = denies(
    _NAME, "COOLING_OFF", "The payee's address is cooling off until {until_at}.", "until_at"
)


@dataclass(frozen=True, slots=True)
class CoolingOff(Rule):
    """Compares `now` with the fact's instant, inclusively: at that instant the rest is over.

    `span_s` is what the payees' service adds to the instant of verification to get there.
    """

    span_s: int

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        if facts.payee is None:
            return _MISSING
        until = facts.payee.cooling_off_until
        if until is None or request.now >= until:
            return _OVER
        return _RESTING, (until,)

    def describe(self, reporting: Asset) -> str:
        span = duration_in_words(self.span_s)
        return f"A new or changed address is not paid for {span} after its verification."

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        if facts.payee is None or self.weigh(request, facts) is _OVER:
            return ()
        until = facts.payee.cooling_off_until
        rested = replace(facts, payee=replace(facts.payee, cooling_off_until=None))
        return (Change(rested, f"if it were proposed again after {_minute(until)}"),)


def _minute(until: datetime | None) -> str:
    return (
        "" if until is None else iso(until + timedelta(seconds=59))[:16].replace("T", " ") + " UTC"
    )


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    return (CoolingOff(_NAME, document.payees.cooling_off.seconds),)
