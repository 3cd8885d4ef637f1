"""Owns what a resemblance to another invoice leads to."""

from dataclasses import dataclass, replace

from policy.change import Change
from policy.decision import ApprovalRequirement, Outcome
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.grammar import Ask
from policy.request import PaymentRequest
from policy.requirement import in_words
from policy.rule import Rule
from policy.verdict import Ruling, Verdict, allows, denies, missing
from treasurer.kernel.money import Asset

_NAME = "duplicate"
_NAMES = ("other_invoice_id", "reason")
_MISSING = missing(_NAME, "Whether this invoice was seen before")
_NONE: Verdict = allows(_NAME, "NO_DUPLICATE", "No other invoice resembles this one."), ()
_EXACT = denies(
    _NAME, "DUPLICATE_EXACT", "This is invoice {other_invoice_id} again: {reason}.", *_NAMES
)
_NEAR_WORDING = "This resembles invoice {other_invoice_id}: {reason}."


@dataclass(frozen=True, slots=True)
class Duplicate(Rule):
    """An exact duplicate is denied; a near one gets `near`. A kind of another name counts as exact."""

    near: Ruling

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        others = facts.duplicates
        if others is None:
            return _MISSING
        if not others:
            return _NONE
        for other in others:
            if other.kind != "near":
                return _EXACT, (other.invoice_id, other.reason.rstrip("."))
        return self.near, (others[0].invoice_id, others[0].reason.rstrip("."))

    def describe(self, reporting: Asset) -> str:
        near = self.near.requirement
        answer = "is denied too" if near is None else f"needs approval by {in_words(near)}"
        return f"An invoice that was seen before is denied; one that resembles another {answer}."

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        if not facts.duplicates:
            return ()
        return (Change(replace(facts, duplicates=()), "if no other invoice resembled this one"),)

    def asks(self) -> tuple[ApprovalRequirement, ...]:
        return () if self.near.requirement is None else (self.near.requirement,)


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    answer = document.duplicates.near
    if not isinstance(answer, Ask):
        return (Duplicate(_NAME, denies(_NAME, "DUPLICATE_NEAR", _NEAR_WORDING, *_NAMES)),)
    near = Ruling(
        _NAME,
        "DUPLICATE_NEAR",
        Outcome.REQUIRE_APPROVAL,
        _NEAR_WORDING,
        _NAMES,
        requirement=answer.requirement(document.approvals_expire_s),
    )
    return (Duplicate(_NAME, near),)
