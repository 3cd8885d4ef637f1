"""The smallest change that alters an outcome: exact sentences, and no claim that does not hold."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given

from policy.assessment import fully_priced, weigh
from policy.counterfactual import NONE_FOUND
from policy.decision import Outcome
from policy.engine import evaluate
from policy.facts import PayeeFact, RunwayFact, WindowFact
from policy.request import PaymentRequest
from tests.support.policy import (
    NEAR,
    NOW,
    PROPERTY,
    BrokenRule,
    any_facts,
    facts,
    norwick,
    payment,
    requests,
)
from treasurer.kernel.money import Asset, format_minor


@pytest.mark.parametrize(
    ("request_", "known", "sentence"),
    [
        (
            payment(50_000),
            facts(),
            "1,000.000001 USDC (1,000.01 USD) or more would need approval by"
            " 1 of approver or cfo, within 72 h.",
        ),
        (
            payment(50_000),
            facts(available_minor=600_000_000),
            "600.000001 USDC (600.01 USD) or more would be denied for now.",
        ),
        (
            payment(415_000),
            facts(),
            "1,000.00 USDC (1,000.00 USD) or less would pass without approval.",
        ),
        (
            payment(2_600_000),
            facts(),
            "25,000.00 USDC (25,000.00 USD) or less would need approval by"
            " 1 of approver or cfo and 1 of cfo, different people, within 72 h.",
        ),
        (
            payment(50_000),
            facts(spent_24h=WindowFact(2_460_000, NOW)),
            "400.00 USDC (400.00 USD) or less would pass without approval.",
        ),
        (
            payment(50_000),
            facts(spent_24h=WindowFact(2_500_000, NOW)),
            "It would pass without approval once the sum of the last 24 hours is"
            " 24,500.00 USD or less.",
        ),
        (
            payment(50_000),
            facts(available_minor=0),
            "It would pass without approval if 500.00 USDC or more were available.",
        ),
        (
            payment(50_000),
            facts(runway=RunwayFact(1_049_999, 1_000_000, NOW)),
            "499.99 USDC (499.99 USD) or less would need approval by 1 of cfo, within 72 h.",
        ),
        (
            payment(50_000),
            facts(runway=RunwayFact(1_000_000, 1_000_000, NOW)),
            "It would need approval by 1 of cfo, within 72 h if cash were 10,500.00 USD or more.",
        ),
        (
            payment(50_000),
            facts(payee=PayeeFact("verified", "pending", None)),
            "It would pass without approval once the payee's address is verified.",
        ),
        (
            payment(50_000),
            facts(payee=PayeeFact("verified", "verified", NOW + timedelta(hours=3, seconds=1))),
            "It would pass without approval if it were proposed again after 2026-11-02 12:01 UTC.",
        ),
        (
            payment(50_000),
            facts(duplicates=(NEAR,)),
            "It would pass without approval if no other invoice resembled this one.",
        ),
        (
            payment(50_000),
            facts(frozen=True),
            "It would pass without approval once the freeze is lifted.",
        ),
        (
            payment(50_000),
            facts(as_of=NOW - timedelta(hours=1)),
            "It would pass without approval if fresh figures were the same.",
        ),
        (payment(50_000), facts(frozen=True, price=None), NONE_FOUND),
        (payment(50_000), facts(price=None), NONE_FOUND),
    ],
)
def test_the_smallest_change_is_told(request_, known, sentence):
    assert evaluate(request_, known, norwick()).counterfactual == sentence


def test_amounts_are_told_in_the_token_and_scaled_by_the_price():
    """At 0.999 USD, 1,001.001001 USDC are worth at most 1,000.00 USD."""
    cheap = replace(facts().price, numerator=999, denominator=1000)
    request = payment(199_800, amount_minor=2_000_000_000)
    assert evaluate(request, facts(price=cheap), norwick()).counterfactual == (
        "1,001.001001 USDC (1,000.00 USD) or less would pass without approval."
    )


def test_a_broken_rule_gives_no_advice_and_hinders_none():
    broken = replace(norwick(), rules=(BrokenRule("odd"), *norwick().rules))
    assert evaluate(payment(), facts(), broken).counterfactual == NONE_FOUND


def _scaled(request: PaymentRequest, amount_minor: int) -> PaymentRequest:
    reporting = -(-amount_minor * request.reporting_amount_minor // request.amount_minor)
    return replace(request, amount_minor=amount_minor, reporting_amount_minor=reporting)


@PROPERTY
@given(requests(), any_facts())
def test_an_amount_that_is_told_is_the_extreme_one(request, known):
    """Binary search over the amount, which is monotone, finds the same threshold or none."""
    policy_set = norwick()
    decision = evaluate(request, known, policy_set)
    priced = fully_priced(request, known, policy_set.reporting)

    def altered(amount_minor: int) -> bool:
        after = weigh(_scaled(priced, amount_minor), known, policy_set).outcome
        if decision.outcome is Outcome.ALLOW:
            return after > decision.outcome
        return after < decision.outcome

    same = priced.amount_minor
    other = 10**18 if decision.outcome is Outcome.ALLOW else 1
    if not altered(other):
        assert " or less would " not in decision.counterfactual
        assert " or more would " not in decision.counterfactual
        return
    while abs(same - other) > 1:
        middle = (same + other) // 2
        if altered(middle):
            other = middle
        else:
            same = middle
    told = format_minor(other, Asset(request.asset, request.decimals))
    assert decision.counterfactual.startswith(f"{told} (")
