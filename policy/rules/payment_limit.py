"""Owns the cap on a single payment, for all or for a kind of initiator or a token. Inclusive."""

from dataclasses import dataclass

from policy.change import within_reporting
from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.scoping import scoped
from policy.terms import PaymentLimitTerms
from policy.verdict import Ruling, Verdict, allows, denies
from treasurer.kernel.money import Asset, format_minor

_NAME = "payment_limit"
_NAMES = ("amount_minor", "limit_minor")
_BY = {
    "human": " proposed by a person",
    "agent": " proposed by an agent",
    "service": " proposed by a service",
}


@dataclass(frozen=True, slots=True)
class PaymentLimit(Rule):
    """`initiator_kind` and `asset` narrow the limit; None applies it to all. `scope` is for people."""

    limit_minor: int
    initiator_kind: str | None
    asset: str | None
    scope: str
    within: Ruling
    above: Ruling
    elsewhere: Verdict

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        if self.initiator_kind is not None and self.initiator_kind != request.initiator_kind:
            return self.elsewhere
        if self.asset is not None and self.asset != request.asset:
            return self.elsewhere
        amount_minor = request.reporting_amount_minor
        if amount_minor <= self.limit_minor:
            return self.within, (amount_minor, self.limit_minor)
        return self.above, (amount_minor, self.limit_minor)

    def describe(self, reporting: Asset) -> str:
        limit = format_minor(self.limit_minor, reporting)
        return f"One payment{self.scope} is at most {limit}."

    def bounds(self, request: PaymentRequest, facts: Facts) -> tuple[int, ...]:
        if self.weigh(request, facts) is self.elsewhere:
            return ()
        return (within_reporting(request, self.limit_minor),)


def _limit(terms: PaymentLimitTerms, index: int) -> PaymentLimit:
    scope = _BY.get(terms.initiator or "", "")
    if terms.asset is not None:
        scope += f" in {terms.asset}"
    # Several limits may have one scope, each where its own condition holds.
    number = None if terms.when is None else str(index)
    name = ".".join(filter(None, (_NAME, terms.initiator, terms.asset, number)))
    wording = f"{{amount_minor}} is {{}} the limit of {{limit_minor}} for one payment{scope}."
    return PaymentLimit(
        name=name,
        limit_minor=terms.at_most.minor,
        initiator_kind=terms.initiator,
        asset=terms.asset,
        scope=scope,
        within=allows(name, "WITHIN_PAYMENT_LIMIT", wording.replace("{}", "within"), *_NAMES),
        above=denies(name, "PAYMENT_LIMIT", wording.replace("{}", "above"), *_NAMES),
        elsewhere=(
            allows(name, "LIMIT_ELSEWHERE", f"The limit for a payment{scope} does not apply."),
            (),
        ),
    )


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    return tuple(
        scoped(_limit(terms, index), terms.when)
        for index, terms in enumerate(document.limits.per_payment, start=1)
    )
