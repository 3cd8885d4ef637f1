"""Owns what certain findings of intake lead to, such as a value that is not in the visible document."""

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

_NAME = "evidence"
_MISSING = missing(_NAME, "What intake found")
_CLEAN: Verdict = allows(_NAME, "EVIDENCE_CLEAN", "Intake found nothing that this rule names."), ()


@dataclass(frozen=True, slots=True)
class Evidence(Rule):
    """Intake's confidence is told by findings, each with a code and its evidence, not by a number."""

    codes: frozenset[str]
    found: Ruling

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        if facts.evidence is None:
            return _MISSING
        named = sorted(self.codes.intersection(facts.evidence))
        return (self.found, (", ".join(named),)) if named else _CLEAN

    def describe(self, reporting: Asset) -> str:
        return f"An invoice with {' or '.join(sorted(self.codes))} is {told(self.found)}."

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        if facts.evidence is None or not self.codes.intersection(facts.evidence):
            return ()
        rest = tuple(code for code in facts.evidence if code not in self.codes)
        return (Change(replace(facts, evidence=rest), "if intake had found none of this"),)

    def asks(self) -> tuple[ApprovalRequirement, ...]:
        return () if self.found.requirement is None else (self.found.requirement,)


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    terms = document.evidence
    if terms is None:
        return ()
    wording = "Intake found {findings}."
    expiry_s = document.approvals_expire_s
    found = ruling_for(terms.then, expiry_s, _NAME, "EVIDENCE", wording, "findings")
    return (Evidence(_NAME, frozenset(terms.findings), found),)
