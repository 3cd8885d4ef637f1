"""I10, I11 and the counterfactual over every dimension, not only over the plain policy."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.assessment import fully_priced, weigh
from policy.background import ScopedSum
from policy.counterfactual import NONE_FOUND
from policy.decision import Outcome, decision_from_json
from policy.engine import evaluate
from policy.facts import PayeeFact, facts_from_json
from policy.policy_set import parse_policy_set
from policy.request import request_from_json
from tests.policy.test_properties import at_least_as_strict
from tests.support.dimensions import (
    KNOWN_PAYEE,
    LOCAL,
    every,
    every_with,
    known,
    only,
    rich_facts,
    rich_requests,
    sums,
)
from tests.support.policy import NOW, PROPERTY, DenyPayee, payment
from treasurer.kernel.money import Asset, format_minor


@PROPERTY
@given(rich_requests(), rich_facts())
def test_a_stored_decision_replays_byte_for_byte(request, about):
    stored = evaluate(request, about, every()).to_json()
    replayed = evaluate(
        request_from_json(request.to_json()),
        facts_from_json(about.to_json()),
        parse_policy_set(every().canonical),
    )
    assert replayed.to_json() == stored
    assert decision_from_json(stored).to_json() == stored


@PROPERTY
@given(rich_requests(), rich_facts(), st.integers(1, 10**12), st.integers(0, 10**7))
def test_raising_either_amount_never_loosens(request, about, more, more_reporting):
    raised = replace(
        request,
        amount_minor=request.amount_minor + more,
        reporting_amount_minor=request.reporting_amount_minor + more_reporting,
    )
    assert at_least_as_strict(weigh(raised, about, every()), weigh(request, about, every()))


LOWERED = [
    ("over: 7 days, at_most: 15000.00 USD", "over: 7 days, at_most: {}.00 USD", 14_999),
    ("over: 24 h, at_most: 12000.00 USD", "over: 24 h, at_most: {}.00 USD", 11_999),
    ("over: 30 days, at_most: 60000.00 USD", "over: 30 days, at_most: {}.00 USD", 59_999),
    ("at_most: 4000.00 USD", "at_most: {}.00 USD", 3_999),
    ("at_most: 8000.00 USD", "at_most: {}.00 USD", 7_999),
    ("at_most: 200}", "at_most: {}}}", 199),
    ("spreads: 6", "spreads: {}", 5),
    ("{under: 24 h, at_most: 10000.00 USD}", "{{under: 24 h, at_most: {}.00 USD}}", 9_999),
    ("amount: above 200.00 USD", "amount: above {}.00 USD", 199),
    ("sanctions: {max_age: 30 days}", "sanctions: {{max_age: {} days}}", 29),
]


@pytest.mark.parametrize("passage", LOWERED, ids=[old for old, _, _ in LOWERED])
@settings(PROPERTY, max_examples=40)
@given(rich_requests(), rich_facts())
def test_lowering_a_limit_never_loosens(passage, request, about):
    old, new, most = passage
    for value in (1, most):
        lowered = _lowered(old, new.format(value))
        assert at_least_as_strict(weigh(request, about, lowered), weigh(request, about, every()))


_SETS = {}


def _lowered(old, new):
    if (old, new) not in _SETS:
        _SETS[old, new] = every_with(old, new)
    return _SETS[old, new]


@PROPERTY
@given(rich_requests(), rich_facts(), st.sampled_from(["V-001", "V-002"]))
def test_adding_a_rule_that_denies_never_loosens(request, about, payee_id):
    more = replace(every(), rules=(*every().rules, DenyPayee("barred", payee_id)))
    assert at_least_as_strict(weigh(request, about, more), weigh(request, about, every()))


@PROPERTY
@given(rich_requests(), rich_facts())
def test_an_amount_that_is_told_is_the_extreme_one(request, about):
    """Weighing again confirms it, and the next base unit does not alter the outcome yet."""
    decision = evaluate(request, about, every())
    priced = fully_priced(request, about, every().reporting)
    words = decision.counterfactual
    told = words.startswith(tuple("0123456789"))
    if not told:
        assert words == NONE_FOUND or words.startswith("It would ")
        return
    asset = Asset(request.asset, request.decimals)
    amount = next(
        (
            minor
            for minor in _bounds(priced, about, decision.outcome)
            if words.startswith(f"{format_minor(minor, asset)} (")
        ),
        None,
    )
    assert amount is not None
    toward = 1 if amount < priced.amount_minor else -1
    after = weigh(_scaled(priced, amount), about, every()).outcome
    assert (after < decision.outcome) if toward == 1 else (after > decision.outcome)
    beside = _scaled(priced, amount + toward)
    outcome = weigh(beside, about, every()).outcome
    assert (outcome >= decision.outcome) if toward == 1 else (outcome <= decision.outcome)


def _bounds(request, about, before):
    bounds = {bound for rule in every().rules for bound in _safe(rule, request, about)}
    return [bound + 1 for bound in bounds] if before is Outcome.ALLOW else list(bounds)


def _safe(rule, request, about):
    return rule.bounds(request, about)


def _scaled(request, amount):
    reporting = -(-amount * request.reporting_amount_minor // request.amount_minor)
    return replace(request, amount_minor=amount, reporting_amount_minor=reporting)


YOUNG = PayeeFact("verified", "verified", None, NOW, NOW, "cloud")


@pytest.mark.parametrize(
    ("section", "about", "sentence"),
    [
        (
            "limits: {windows: [{by: payee, over: 7 days, at_most: 100.00 USD}]}",
            known(windows=sums(payee_7_days=9_000)),
            "10.00 USDC (10.00 USD) or less would pass without approval.",
        ),
        (
            "limits: {windows: [{by: payee, over: 7 days, at_most: 100.00 USD}]}",
            known(windows=sums(payee_7_days=10_000)),
            "It would pass without approval once payments to one payee within 7 days sum to"
            " 80.00 USD or less.",
        ),
        (
            "limits: {windows: [{by: payee, over: 7 days, at_most: 100.00 USD}]}",
            known(
                windows=tuple(
                    ScopedSum(one.window, 0, NOW.replace(hour=1)) for one in sums(payee_7_days=0)
                )
            ),
            "It would pass without approval if a fresh sum of payments to one payee were the same.",
        ),
        (
            "payees: {cooling_off: 24 h, young: {address_under: 7 days, then: deny}}",
            known(payee=YOUNG),
            "It would pass without approval if an address had been known for 7 days.",
        ),
        (
            "payees: {cooling_off: 24 h, first_payment: {then: deny}}",
            known(history=replace(known().history, to_address=0)),
            "It would pass without approval if this address had been paid before.",
        ),
        (
            "payees: {cooling_off: 24 h, off_pattern: {payments: 5, spreads: 1, then: deny}}",
            known(history=replace(known().history, median_minor=1_000, spread_minor=100)),
            "11.00 USDC (11.00 USD) or less would pass without approval.",
        ),
        (
            "evidence: {findings: [ODD], then: ask 1 of cfo}",
            known(evidence=("ODD",)),
            "It would pass without approval if intake had found none of this.",
        ),
        (
            'hours: {zone: Europe/Berlin, days: [mon], from: "08:00", to: "09:00", outside: wait}',
            known(local_time=LOCAL),
            "It would pass without approval within business hours.",
        ),
        (
            "ramp: {new_address: [{under: 3 days, at_most: 5.00 USD}]}",
            known(payee=YOUNG, windows=sums(payee_24_h=0)),
            "5.00 USDC (5.00 USD) or less would pass without approval.",
        ),
        (
            "ramp: {new_address: [{under: 3 days, at_most: 5.00 USD}]}",
            known(payee=YOUNG, windows=sums(payee_24_h=500)),
            "It would pass without approval once the address is 72 h old.",
        ),
        (
            "rules: [{name: big, when: {amount: above 7.00 USD}, then: deny}]",
            known(payee=KNOWN_PAYEE),
            "7.00 USDC (7.00 USD) or less would pass without approval.",
        ),
    ],
)
def test_the_smallest_change_is_told_for_each_dimension(section, about, sentence):
    assert evaluate(payment(2_000), about, only(section)).counterfactual == sentence
