"""Owns how many payments one order may join. Inclusive."""

from dataclasses import dataclass

from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Verdict, allows, denies, missing
from treasurer.kernel.money import Asset

_NAME = "batch_size"
_NAMES = ("payments", "most")
_MISSING = missing(_NAME, "How many payments the order joins")
_WITHIN = allows(_NAME, "WITHIN_BATCH_SIZE", "{payments} of at most {most} in one order.", *_NAMES)
_ABOVE = denies(
    _NAME, "BATCH_SIZE", "The order joins {payments} payments, {most} are the most.", *_NAMES
)


@dataclass(frozen=True, slots=True)
class BatchSize(Rule):
    most: int

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        if facts.batch is None:
            return _MISSING
        return (_WITHIN if facts.batch <= self.most else _ABOVE), (facts.batch, self.most)

    def describe(self, reporting: Asset) -> str:
        return f"One order joins at most {self.most} payments."


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    terms = document.limits.batch
    return () if terms is None else (BatchSize(_NAME, terms.at_most),)
