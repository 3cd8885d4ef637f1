"""Owns a single change of circumstances, from which counterfactuals are made.

Must never claim an effect: `policy.counterfactual` weighs each change again before it is told.
"""

from dataclasses import dataclass

from policy.facts import Facts
from policy.request import PaymentRequest


@dataclass(frozen=True, slots=True)
class Change:
    """Other facts and the words for them: `condition` completes "It would be allowed …".

    The condition may name `{reporting}` or `{token}`, which stand for the amounts given here.
    """

    facts: Facts
    condition: str
    reporting_minor: int = 0
    token_minor: int = 0


def within_reporting(request: PaymentRequest, bound_minor: int) -> int:
    """The greatest amount in the token's base units whose reporting amount is within the bound.

    Scales by the request's own ratio, so that it needs no price: as the reporting amount was
    rounded up, the scaled one never understates.
    """
    return bound_minor * request.amount_minor // request.reporting_amount_minor
