"""Owns that no more is paid than the wallet holds free of other payments' holds. Inclusive."""

from dataclasses import replace

from policy.change import Change
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Verdict, allows, missing, not_now
from treasurer.kernel.money import Asset

_NAME = "available_balance"
_NAMES = ("amount_token_minor", "available_token_minor")
_MISSING = missing(_NAME, "The available balance")
_ENOUGH = allows(_NAME, "FUNDS_AVAILABLE", "{available_token_minor} is available.", *_NAMES)
# Retriable: what people have approved waits for funds until its order expires, and is not lost.
_SHORT = not_now(
    _NAME,
    "INSUFFICIENT_FUNDS",
    "{amount_token_minor} is more than the {available_token_minor} available.",
    *_NAMES,
)


class AvailableBalance(Rule):
    """Always in force (I8)."""

    __slots__ = ()

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        available_minor = facts.available_minor
        if available_minor is None:
            return _MISSING
        ruling = _ENOUGH if request.amount_minor <= available_minor else _SHORT
        return ruling, (request.amount_minor, available_minor)

    def describe(self, reporting: Asset) -> str:
        return "No more is paid than is available after all holds."

    def bounds(self, request: PaymentRequest, facts: Facts) -> tuple[int, ...]:
        return () if facts.available_minor is None else (facts.available_minor,)

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        amount_minor = request.amount_minor
        if facts.available_minor is None or facts.available_minor >= amount_minor:
            return ()
        funded = replace(facts, available_minor=amount_minor)
        return (Change(funded, "if {token} or more were available", token_minor=amount_minor),)


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    return (AvailableBalance(_NAME),)
