"""Network health and the ceiling of gas: both bounds inclusive, both only ever wait."""

from datetime import timedelta

import pytest

from policy.assessment import weigh
from policy.background import NetworkFact
from policy.decision import Outcome
from policy.engine import evaluate
from policy.facts import Facts, facts_from_json
from policy.policy_set import parse_policy_set
from tests.support.dimensions import known, only
from tests.support.policy import NOW, finding, payment
from treasurer.kernel.errors import InvalidInput

SECTION = "network: {head_age: 2 min, gas_at_most: 80.5 gwei, max_age: 1 min}"
GWEI = 10**9


def network(*, head_s: int = 0, wei: int = GWEI, read_s: int = 0) -> Facts:
    head_at, read_at = (NOW - timedelta(seconds=s) for s in (head_s, read_s))
    return known(network=NetworkFact(head_at, wei, read_at))


@pytest.mark.parametrize(
    "about",
    [
        network(head_s=120),
        network(head_s=-120),
        network(wei=80_500_000_000),
        network(read_s=60),
        network(read_s=-60),
    ],
)
def test_up_to_its_bounds_the_network_carries_payments(about):
    assert weigh(payment(1), about, only(SECTION)).outcome is Outcome.ALLOW


@pytest.mark.parametrize(
    ("about", "rule", "code"),
    [
        (network(head_s=121), "network_health", "NETWORK_STALLED"),
        (network(head_s=-121), "network_health", "NETWORK_STALLED"),
        (network(wei=80_500_000_001), "gas_ceiling", "GAS_CEILING"),
        (network(read_s=61), "network_health", "FACT_STALE"),
        (network(read_s=-61), "gas_ceiling", "FACT_STALE"),
        (known(network=None), "network_health", "FACT_MISSING"),
        (known(network=None), "gas_ceiling", "FACT_MISSING"),
    ],
)
def test_beyond_them_payments_wait(about, rule, code):
    decision = evaluate(payment(1), about, only(SECTION))
    assert (decision.outcome, decision.retriable) == (Outcome.DENY, True)
    assert finding(decision, rule).code == code
    assert facts_from_json(about.to_json()) == about


def test_the_price_and_what_would_change_it_are_told():
    decision = evaluate(payment(1), network(wei=90 * GWEI + 1), only(SECTION))
    told = "Gas costs 90.000000001 gwei a unit; above 80.5 gwei payments wait."
    assert finding(decision, "gas_ceiling").message == told
    assert decision.counterfactual == (
        "It would pass without approval with gas at 80.5 gwei a unit or less."
    )


def test_each_half_may_be_left_out():
    health = only("network: {head_age: 2 min, max_age: 1 min}")
    gas = only("network: {gas_at_most: 1 gwei, max_age: 1 min}")
    assert weigh(payment(1), network(wei=10**15), health).outcome is Outcome.ALLOW
    assert weigh(payment(1), network(head_s=10**6), gas).outcome is Outcome.ALLOW
    assert (health.reads_network, gas.reads_network, only("").reads_network) == (True, True, False)
    assert parse_policy_set(gas.canonical) == gas


@pytest.mark.parametrize("price", ["80", "0 gwei", "-1 gwei", "1e3 gwei", "0.0000000001 gwei"])
def test_a_price_of_gas_is_written_in_gwei(price):
    with pytest.raises(InvalidInput) as refused:
        only(f"network: {{gas_at_most: {price}, max_age: 1 min}}")
    assert "write the price of gas as 80 gwei or 0.5 gwei, above 0" in refused.value.message
