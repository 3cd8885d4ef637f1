"""Owns that the price behind the reporting amount is of the right pair and fresh."""

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

_NAME = "price_age"
_MISSING = missing(_NAME, "The price")
_FRESH = allows(_NAME, "PRICE_FRESH", "The price of {asset} is {age_s} s old.", "asset", "age_s")
_STALE = stale(_NAME, "The price")
_OTHER_PAIR = not_now(
    _NAME,
    "PRICE_OF_OTHER_PAIR",
    "The price at hand is that of {price_pair}, not of {asset}/{currency}.",
    "price_pair",
    "asset",
    "currency",
)


@dataclass(frozen=True, slots=True)
class PriceAge(Rule):
    """A price of another pair counts as missing, so it denies for now only."""

    max_age: timedelta

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        price = facts.price
        if price is None:
            return _MISSING
        if price.asset != request.asset or price.reporting_currency != request.reporting_currency:
            pair = f"{price.asset}/{price.reporting_currency}"
            return _OTHER_PAIR, (pair, request.asset, request.reporting_currency)
        age = request.now - price.as_of
        if abs(age) <= self.max_age:
            return _FRESH, (price.asset, age)
        return _STALE, (age, self.max_age)

    def describe(self, reporting: Asset) -> str:
        span = duration_in_words(self.max_age // timedelta(seconds=1))
        return f"A price may be {span} old; on an older one a payment waits."

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        if facts.price is None or self.weigh(request, facts)[0] is not _STALE:
            return ()
        fresh = replace(facts, price=replace(facts.price, as_of=request.now))
        return (Change(fresh, "if a fresh price were the same"),)


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    return (PriceAge(_NAME, timedelta(seconds=document.max_age.price.seconds)),)
