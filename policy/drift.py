"""Owns how far the world may move between a vote and its payment. Must never let a vote stand past it.

Not a rule: rules judge a payment as it is now. This compares what people were shown with what holds
now; beyond a tolerance they are asked again, whatever their votes would meet.
"""

from dataclasses import dataclass

from policy.document import PolicyDocument
from policy.facts import Facts, PriceFact
from policy.grammar import Percent

_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What may change unasked. None and False: whatever the rules let pass.

    `price` bounds how far the token's price moves either way, `balance` how far cash falls.
    `policy` and `payee`: another policy set, other details of the payee are asked about.
    """

    price: Percent | None
    balance: Percent | None
    policy: bool
    payee: bool

    def describe(self) -> str:
        """What is asked again, in a sentence for a CFO."""
        price, balance = self.price, self.balance
        parts = [
            f"the token's price moved by more than {price} or the quote lapsed" if price else "",
            f"cash fell by more than {balance}" if balance else "",
            "another policy set is in force" if self.policy else "",
            "the payee's details or address changed" if self.payee else "",
        ]
        what = ", or ".join(part for part in parts if part)
        return f"People are asked again if, since they agreed, {what}."


@dataclass(frozen=True, slots=True)
class Seen:
    """Under what a decision was made: its facts, and the digest of its policy set."""

    facts: Facts
    policy_digest: bytes


@dataclass(frozen=True, slots=True)
class Drift:
    """`reasons` say what moved beyond the tolerance; `unknown` what cannot be compared just now."""

    reasons: tuple[str, ...]
    unknown: tuple[str, ...]


def drift(tolerance: Tolerance, seen: Seen, now: Seen) -> Drift:
    """What moved from `seen`, on which people agreed, to `now`. Bounds are inclusive."""
    reasons: list[str] = []
    unknown: list[str] = []
    if tolerance.price is not None:
        before, after = seen.facts.price, now.facts.price
        if before is None or after is None:
            unknown.append("the token's price")
        elif _moved(before, after) > tolerance.price:
            reasons.append(
                f"The price of {after.asset} moved by {_moved(before, after)} since people agreed;"
                f" {tolerance.price} is tolerated."
            )
    if tolerance.balance is not None:
        cash = _cash(now.facts)
        if cash is None:
            unknown.append("cash")
        else:
            reasons += _fallen(tolerance.balance, _cash(seen.facts), cash)
    if tolerance.policy and seen.policy_digest != now.policy_digest:
        reasons.append("Another policy set is in force since people agreed.")
    if tolerance.payee and seen.facts.payee != now.facts.payee:
        reasons.append("The payee's details were changed since people agreed.")
    return Drift(tuple(reasons), tuple(unknown))


def tolerance_from(document: PolicyDocument) -> Tolerance | None:
    """The tolerance that a policy file states; None where it states none. Raises ValueError."""
    terms = document.drift
    if terms is None:
        return None
    stated = Tolerance(
        terms.price, terms.balance, terms.policy is not None, terms.payee is not None
    )
    if stated == Tolerance(None, None, False, False):
        raise ValueError("drift: say what may not change: price, balance, policy or payee")
    return stated


def _cash(facts: Facts) -> int | None:
    return None if facts.runway is None else facts.runway.cash_minor


def _moved(before: PriceFact, after: PriceFact) -> Percent:
    """The change of the price relative to what it was, rounded up."""
    was = before.numerator * after.denominator
    change = abs(after.numerator * before.denominator - was)
    return Percent(-(-change * _PPM // was))


def _fallen(tolerance: Percent, before: int | None, after: int) -> list[str]:
    if before is None:
        return ["Cash was not known when people agreed."]
    if after >= before:
        return []
    if before <= 0:
        return ["Cash was spent when people agreed, and fell further."]
    fall = Percent(-(-(before - after) * _PPM // before))
    if fall <= tolerance:
        return []
    return [f"Cash fell by {fall} since people agreed; {tolerance} is tolerated."]
