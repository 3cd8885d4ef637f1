"""Owns that only verified payees are paid, and only at an address that was verified too."""

from dataclasses import replace

from policy.change import Change
from policy.document import PolicyDocument
from policy.facts import VERIFIED, Facts, PayeeFact
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Verdict, allows, denies, missing
from treasurer.kernel.money import Asset

_NAME = "payee_verified"
_MISSING = missing(_NAME, "The payee's state")
_VERIFIED: Verdict = allows(_NAME, "PAYEE_VERIFIED", "The payee and its address are verified."), ()
_PAYEE = denies(
    _NAME, "PAYEE_NOT_VERIFIED", "The payee is {payee_state}, not verified.", "payee_state"
)
_ADDRESS = denies(
    _NAME,
    "ADDRESS_NOT_VERIFIED",
    "The payee's address is {address_state}, not verified.",
    "address_state",
)


class PayeeVerified(Rule):
    """Always in force. Any state but `verified` denies, also one that this build does not know."""

    __slots__ = ()

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        payee = facts.payee
        if payee is None:
            return _MISSING
        if payee.state != VERIFIED:
            return _PAYEE, (payee.state,)
        if payee.address_state != VERIFIED:
            return _ADDRESS, (payee.address_state,)
        return _VERIFIED

    def describe(self, reporting: Asset) -> str:
        return "Only verified payees are paid, at verified addresses."

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        payee = facts.payee
        if payee is None:
            return ()
        if payee.state != VERIFIED:
            return (_with(facts, replace(payee, state=VERIFIED), "payee"),)
        if payee.address_state != VERIFIED:
            changed = replace(payee, address_state=VERIFIED)
            return (_with(facts, changed, "payee's address"),)
        return ()


def _with(facts: Facts, payee: PayeeFact, what: str) -> Change:
    return Change(replace(facts, payee=payee), f"once the {what} is verified")


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    return (PayeeVerified(_NAME),)
