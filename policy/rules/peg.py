"""Owns that a stablecoin is paid at par only while its peg holds."""

from dataclasses import replace

from policy.change import Change
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Verdict, allows, denies, missing
from treasurer.kernel.money import Asset

_NAME = "peg"
_MISSING = missing(_NAME, "Whether the peg holds")
_HOLDS: Verdict = allows(_NAME, "PEG_HOLDS", "The peg holds."), ()
# Not retriable: the quoted amount is wrong now, and another amount is another order.
_BROKEN = denies(
    _NAME, "PEG_BROKEN", "{asset} has left its band around {currency}.", "asset", "currency"
)


class Peg(Rule):
    """Always in force. The width of the band belongs to the price feed, which judges it."""

    __slots__ = ()

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        if facts.price is None:
            return _MISSING
        if facts.price.in_peg_band:
            return _HOLDS
        return _BROKEN, (request.asset, request.reporting_currency)

    def describe(self, reporting: Asset) -> str:
        return "A stablecoin that has left its band is not paid."

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        if facts.price is None or facts.price.in_peg_band:
            return ()
        held = replace(facts, price=replace(facts.price, in_peg_band=True))
        return (Change(held, "if it were proposed again with the peg within its band"),)


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    return (Peg(_NAME),)
