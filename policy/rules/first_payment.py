"""Owns what the first payment to an address leads to, be its payee new or its address changed."""

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

_NAME = "first_payment"
_MISSING = missing(_NAME, "Whether this address was paid before")
_PAID = allows(_NAME, "PAID_BEFORE", "This address was paid {payments} times.", "payments")


@dataclass(frozen=True, slots=True)
class FirstPayment(Rule):
    """Only settled payments count, so that two first ones in flight are both first."""

    first: Ruling

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        if facts.history is None:
            return _MISSING
        if facts.history.to_address > 0:
            return _PAID, (facts.history.to_address,)
        return self.first, ()

    def describe(self, reporting: Asset) -> str:
        return f"The first payment to an address is {told(self.first)}."

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        if facts.history is None or facts.history.to_address > 0:
            return ()
        paid = replace(facts.history, payments=max(1, facts.history.payments), to_address=1)
        return (Change(replace(facts, history=paid), "if this address had been paid before"),)

    def asks(self) -> tuple[ApprovalRequirement, ...]:
        return () if self.first.requirement is None else (self.first.requirement,)


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    terms = document.payees.first_payment
    if terms is None:
        return ()
    wording = "No payment to this address has settled yet."
    first = ruling_for(terms.then, document.approvals_expire_s, _NAME, "FIRST_PAYMENT", wording)
    return (FirstPayment(_NAME, first),)
