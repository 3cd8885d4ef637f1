"""Owns that nobody on the sanctions list is paid, nor anybody while the list is too old."""

from dataclasses import dataclass, replace
from datetime import timedelta

from policy.change import Change
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.requirement import duration_in_words
from policy.rule import Rule
from policy.verdict import Verdict, allows, denies, missing, stale
from treasurer.kernel.money import Asset

_NAME = "sanctions"
_MISSING = missing(_NAME, "The sanctions list")
_STALE = stale(_NAME, "The sanctions list")
_CLEAR: Verdict = allows(_NAME, "NOT_SANCTIONED", "Payee and address are on no list."), ()
_HIT = denies(_NAME, "SANCTIONED", "The sanctions list names {hits}.", "hits")


@dataclass(frozen=True, slots=True)
class Sanctions(Rule):
    """A hit on a list of any age denies; the age matters only to those who were not found."""

    max_age: timedelta

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        found = facts.sanctions
        if found is None:
            return _MISSING
        if found.hits:
            return _HIT, (", ".join(found.hits),)
        age = request.now - found.as_of
        return (_STALE, (age, self.max_age)) if abs(age) > self.max_age else _CLEAR

    def describe(self, reporting: Asset) -> str:
        span = duration_in_words(self.max_age // timedelta(seconds=1))
        return f"Nobody on the sanctions list is paid; on a list older than {span} nobody is."

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        if facts.sanctions is None or self.weigh(request, facts)[0] is not _STALE:
            return ()
        fresh = replace(facts, sanctions=replace(facts.sanctions, as_of=request.now))
        return (Change(fresh, "if a fresh sanctions list were the same"),)


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    if document.sanctions is None:
        return ()
    return (Sanctions(_NAME, timedelta(seconds=document.sanctions.max_age.seconds)),)
