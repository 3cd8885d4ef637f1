"""Owns what a unit of gas may cost when a payment leaves. Inclusive; the fee cap stands besides."""

from dataclasses import dataclass, replace
from datetime import timedelta

from policy.change import Change
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.grammar import GasPrice
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Verdict, allows, missing, not_now, stale
from treasurer.kernel.money import Asset

_NAME = "gas_ceiling"
_NAMES = ("gas_price", "at_most")
_MISSING = missing(_NAME, "What gas costs")
_STALE = stale(_NAME, "The price of gas")
_WITHIN = allows(
    _NAME, "GAS_WITHIN_CEILING", "Gas costs {gas_price} a unit, at most {at_most}.", *_NAMES
)
_ABOVE = not_now(
    _NAME, "GAS_CEILING", "Gas costs {gas_price} a unit; above {at_most} payments wait.", *_NAMES
)


@dataclass(frozen=True, slots=True)
class GasCeiling(Rule):
    """Base fee and usual tip of a unit of gas. The amount of the payment plays no part."""

    at_most: GasPrice
    max_age: timedelta

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        found = facts.network
        if found is None:
            return _MISSING
        age = request.now - found.as_of
        if abs(age) > self.max_age:
            return _STALE, (age, self.max_age)
        ruling = _WITHIN if found.gas_price_wei <= self.at_most.wei else _ABOVE
        return ruling, (str(GasPrice(found.gas_price_wei)), str(self.at_most))

    def describe(self, reporting: Asset) -> str:
        return f"Payments wait while gas costs more than {self.at_most} a unit."

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        if facts.network is None:
            return ()
        price = min(facts.network.gas_price_wei, self.at_most.wei)
        cheap = replace(facts.network, gas_price_wei=price, as_of=request.now)
        return (
            Change(replace(facts, network=cheap), f"with gas at {self.at_most} a unit or less"),
        )


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    terms = document.network
    if terms is None or terms.gas_at_most is None:
        return ()
    return (GasCeiling(_NAME, terms.gas_at_most, timedelta(seconds=terms.max_age.seconds)),)
