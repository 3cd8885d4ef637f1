"""Owns the emergency freeze: while it is on, nothing is decided in favour of an outflow."""

from dataclasses import replace

from policy.change import Change
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Verdict, allows, missing, not_now
from treasurer.kernel.money import Asset

_NAME = "freeze"
_MISSING = missing(_NAME, "Whether payments are frozen")
_OPEN: Verdict = allows(_NAME, "NOT_FROZEN", "Payments are not frozen."), ()
# Retriable: a freeze says "not now". Ending every approved payment would punish its careful use.
_FROZEN: Verdict = not_now(_NAME, "FROZEN", "Payments are frozen."), ()


class Freeze(Rule):
    """Always in force."""

    __slots__ = ()

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        if facts.frozen is None:
            return _MISSING
        return _FROZEN if facts.frozen else _OPEN

    def describe(self, reporting: Asset) -> str:
        return "While payments are frozen, nothing is paid."

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        if not facts.frozen:
            return ()
        return (Change(replace(facts, frozen=False), "once the freeze is lifted"),)


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    return (Freeze(_NAME),)
