"""Owns what happens to a payment by its amount: pay, or ask so many people. Bounds are inclusive.

The only rule that permits: above the last tier nothing does, and the payment is denied.
"""

from bisect import bisect_left
from dataclasses import dataclass

from policy.change import within_reporting
from policy.decision import ApprovalRequirement, Outcome
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.grammar import Amount, Ask
from policy.request import PaymentRequest
from policy.requirement import in_words
from policy.rule import Rule
from policy.terms import Tier
from policy.verdict import Ruling, Verdict, allows
from treasurer.kernel.money import Asset, format_minor

_NAME = "tiers"
_NAMES = ("amount_minor", "up_to_minor")
_BEYOND = allows(_NAME, "ABOVE_ALL_TIERS", "No tier covers {amount_minor}.", "amount_minor")


@dataclass(frozen=True, slots=True)
class Tiers(Rule):
    """`bounds_minor` ascend; the last ruling has no bound of its own when the set says so."""

    bounds_minor: tuple[int, ...]
    rulings: tuple[Ruling, ...]

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        amount_minor = request.reporting_amount_minor
        index = bisect_left(self.bounds_minor, amount_minor)
        if index < len(self.bounds_minor):
            return self.rulings[index], (amount_minor, self.bounds_minor[index])
        if index < len(self.rulings):
            return self.rulings[index], (amount_minor,)
        return _BEYOND, (amount_minor,)

    def describe(self, reporting: Asset) -> str:
        bounds = [f"Up to {format_minor(bound, reporting)}" for bound in self.bounds_minor]
        bounds += ["Any greater amount"] * (len(self.rulings) - len(bounds))
        lines = [
            f"{bound}: {_in_words(ruling.requirement)}."
            for bound, ruling in zip(bounds, self.rulings, strict=True)
        ]
        if len(self.bounds_minor) == len(self.rulings):
            lines.append("Above that: denied.")
        return " ".join(lines)

    def bounds(self, request: PaymentRequest, facts: Facts) -> tuple[int, ...]:
        return tuple(within_reporting(request, bound_minor) for bound_minor in self.bounds_minor)

    def asks(self) -> tuple[ApprovalRequirement, ...]:
        return tuple(
            ruling.requirement for ruling in self.rulings if ruling.requirement is not None
        )


def _in_words(requirement: ApprovalRequirement | None) -> str:
    return "paid without asking" if requirement is None else f"asks {in_words(requirement)}"


def _ruling(tier: Tier, expiry_s: int | None) -> Ruling:
    bounded = isinstance(tier.up_to, Amount)
    upto = " up to {up_to_minor}" if bounded else ""
    names = _NAMES if bounded else _NAMES[:1]
    if not isinstance(tier.then, Ask):
        wording = f"{{amount_minor}} lies in the tier{upto}, which is paid without asking."
        return Ruling(_NAME, "TIER_WITHOUT_ASKING", Outcome.ALLOW, wording, names, permits=True)
    wording = f"{{amount_minor}} lies in the tier{upto}, for which people are asked."
    return Ruling(
        _NAME,
        "TIER_ASKS",
        Outcome.REQUIRE_APPROVAL,
        wording,
        names,
        permits=True,
        requirement=tier.then.requirement(expiry_s),
    )


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    expiry_s = document.approvals_expire_s
    return (
        Tiers(
            _NAME,
            tuple(tier.up_to.minor for tier in document.tiers if isinstance(tier.up_to, Amount)),
            tuple(_ruling(tier, expiry_s) for tier in document.tiers),
        ),
    )
