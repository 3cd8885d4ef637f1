"""Owns what a payee or an address that was entered lately leads to. At the age itself it is old enough."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from policy.answer import ruling_for, told
from policy.change import Change
from policy.decision import ApprovalRequirement
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.requirement import duration_in_words
from policy.rule import Rule
from policy.verdict import Ruling, Verdict, allows, missing
from treasurer.kernel.money import Asset


@dataclass(frozen=True, slots=True)
class Young(Rule):
    """`address` chooses whose age counts. An age below zero, by a clock that is ahead, is young."""

    address: bool
    least: timedelta
    what: str
    unknown: Verdict
    old: Verdict
    young: Ruling

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        since = self._since(facts)
        if since is None:
            return self.unknown
        if request.now - since >= self.least:
            return self.old
        return self.young, (since, self.least)

    def describe(self, reporting: Asset) -> str:
        span = duration_in_words(self.least // timedelta(seconds=1))
        return f"A payment to {self.what} entered less than {span} ago is {told(self.young)}."

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        if facts.payee is None or self.weigh(request, facts)[0] is not self.young:
            return ()
        since = request.now - self.least
        aged = (
            replace(facts.payee, address_since=since)
            if self.address
            else replace(facts.payee, since=since)
        )
        span = duration_in_words(self.least // timedelta(seconds=1))
        return (Change(replace(facts, payee=aged), f"if {self.what} had been known for {span}"),)

    def asks(self) -> tuple[ApprovalRequirement, ...]:
        return () if self.young.requirement is None else (self.young.requirement,)

    def _since(self, facts: Facts) -> datetime | None:
        if facts.payee is None:
            return None
        return facts.payee.address_since if self.address else facts.payee.since


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    terms = document.payees.young
    if terms is None:
        return ()
    spans = ((False, terms.payee_under, "a payee"), (True, terms.address_under, "an address"))
    rules = []
    for address, span, what in spans:
        if span is None:
            continue
        name = "address_age" if address else "payee_age"
        code = "ADDRESS_YOUNG" if address else "PAYEE_YOUNG"
        wording = f"This is {what} known since {{since_at}}, less than {{least_s}} s."
        young = ruling_for(
            terms.then, document.approvals_expire_s, name, code, wording, "since_at", "least_s"
        )
        old = allows(name, code.replace("YOUNG", "KNOWN"), f"This is {what} known long enough.")
        unknown = missing(name, f"How long {what} is known")
        least = timedelta(seconds=span.seconds)
        rules.append(Young(name, address, least, what, unknown, (old, ()), young))
    return tuple(rules)
