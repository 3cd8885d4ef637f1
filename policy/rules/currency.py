"""Owns that limits and amounts speak of the same currency."""

from dataclasses import dataclass

from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Verdict, allows, denies
from treasurer.kernel.money import Asset

_NAME = "currency"
_SAME = allows(
    _NAME,
    "REPORTING_CURRENCY",
    "The amount is reported in {reporting_currency}.",
    "reporting_currency",
)
_OTHER = denies(
    _NAME,
    "REPORTING_CURRENCY_DIFFERS",
    "The amount is reported in {reporting_currency}, but limits are set in {limit_currency}.",
    "reporting_currency",
    "limit_currency",
)


@dataclass(frozen=True, slots=True)
class Currency(Rule):
    """Always in force: comparing 900 EUR with a limit of 1000 USD would mean nothing."""

    limit_currency: str

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        if request.reporting_currency == self.limit_currency:
            return _SAME, (request.reporting_currency,)
        return _OTHER, (request.reporting_currency, self.limit_currency)

    def describe(self, reporting: Asset) -> str:
        return f"Limits are set in {self.limit_currency}, with {reporting.decimals} decimals."


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    return (Currency(_NAME, document.reporting.currency),)
