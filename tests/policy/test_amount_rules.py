"""Rules that look at the amount: exact verdicts at, below and above every bound."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policy.decision import ApprovalRequirement, Outcome, RoleQuorum
from policy.engine import evaluate
from policy.facts import RunwayFact, WindowFact
from tests.support.policy import NOW, facts, finding, norwick, payment, policy_with

ONE = ApprovalRequirement((RoleQuorum(("approver", "cfo"), 1),), 259_200)
TWO = ApprovalRequirement((RoleQuorum(("approver", "cfo"), 1), RoleQuorum(("cfo",), 1)), 259_200)
CFO = ApprovalRequirement((RoleQuorum(("cfo",), 1),), 259_200)


@pytest.mark.parametrize(
    ("reporting_minor", "outcome", "requirement", "up_to"),
    [
        (1, Outcome.ALLOW, None, 100_000),
        (100_000, Outcome.ALLOW, None, 100_000),
        (100_001, Outcome.REQUIRE_APPROVAL, ONE, 1_000_000),
        (1_000_000, Outcome.REQUIRE_APPROVAL, ONE, 1_000_000),
        (1_000_001, Outcome.REQUIRE_APPROVAL, TWO, 2_500_000),
        (2_500_000, Outcome.REQUIRE_APPROVAL, TWO, 2_500_000),
    ],
)
def test_a_tier_includes_its_bound(reporting_minor, outcome, requirement, up_to):
    decision = evaluate(payment(reporting_minor), facts(), norwick())
    assert (decision.outcome, decision.requirement) == (outcome, requirement)
    spoken = finding(decision, "tiers")
    assert spoken.numbers == {"amount_minor": reporting_minor, "up_to_minor": up_to}
    assert spoken.requirement == requirement


def test_above_the_last_tier_nothing_permits():
    wide = policy_with("    - at_most: 25000.00 USD\n", "    - at_most: 90000.00 USD\n")
    wide = replace(wide, rules=tuple(r for r in wide.rules if r.name != "rolling_24h"))
    decision = evaluate(payment(2_500_001), facts(), wide)
    assert decision.outcome is Outcome.DENY
    assert not decision.retriable
    denials = [f.code for f in decision.findings if f.outcome is Outcome.DENY]
    assert denials == ["NO_RULE_MATCHED"]
    assert finding(decision, "tiers").code == "ABOVE_ALL_TIERS"


def test_a_tier_for_any_amount_has_no_bound():
    endless = policy_with("  - up_to: 25000.00 USD\n", "  - up_to: any amount\n")
    endless = replace(
        endless, rules=tuple(r for r in endless.rules if r.name in ("tiers", "currency"))
    )
    decision = evaluate(payment(10**9), facts(), endless)
    assert (decision.outcome, decision.requirement) == (Outcome.REQUIRE_APPROVAL, TWO)
    assert finding(decision, "tiers").numbers == {"amount_minor": 10**9}


@pytest.mark.parametrize(
    ("reporting_minor", "code"),
    [(2_500_000, "WITHIN_PAYMENT_LIMIT"), (2_500_001, "PAYMENT_LIMIT")],
)
def test_the_payment_limit_is_inclusive(reporting_minor, code):
    spoken = finding(evaluate(payment(reporting_minor), facts(), norwick()), "payment_limit")
    assert spoken.code == code
    assert spoken.numbers == {"amount_minor": reporting_minor, "limit_minor": 2_500_000}
    assert spoken.outcome is (Outcome.DENY if code == "PAYMENT_LIMIT" else Outcome.ALLOW)
    assert not spoken.retriable


def test_a_limit_binds_only_its_initiator_and_asset():
    scoped = policy_with(
        "    - at_most: 25000.00 USD\n",
        "    - {at_most: 250.00 USD, for: agent}\n    - {at_most: 50.00 USD, asset: MNEE}\n",
    )
    by_agent = evaluate(payment(25_001), facts(), scoped)
    assert finding(by_agent, "payment_limit.agent").code == "PAYMENT_LIMIT"
    assert finding(by_agent, "payment_limit.MNEE").code == "LIMIT_ELSEWHERE"
    by_human = evaluate(payment(25_001, initiator_kind="human"), facts(), scoped)
    assert finding(by_human, "payment_limit.agent").code == "LIMIT_ELSEWHERE"
    assert by_human.outcome is Outcome.ALLOW


@pytest.mark.parametrize(
    ("spent_minor", "reporting_minor", "code"),
    [
        (0, 50_000, "WITHIN_24H_LIMIT"),
        (2_450_000, 50_000, "WITHIN_24H_LIMIT"),
        (2_450_001, 50_000, "LIMIT_24H"),
        (2_450_000, 50_001, "LIMIT_24H"),
        (2_500_000, 1, "LIMIT_24H"),
    ],
)
def test_the_window_counts_this_payment_inclusively(spent_minor, reporting_minor, code):
    decision = evaluate(
        payment(reporting_minor), facts(spent_24h=WindowFact(spent_minor, NOW)), norwick()
    )
    spoken = finding(decision, "rolling_24h")
    assert spoken.code == code
    assert spoken.numbers == {
        "amount_minor": reporting_minor,
        "spent_minor": spent_minor,
        "limit_minor": 2_500_000,
    }
    assert decision.outcome is (Outcome.DENY if code == "LIMIT_24H" else Outcome.ALLOW)


@pytest.mark.parametrize(
    ("available_minor", "code"),
    [(500_000_000, "FUNDS_AVAILABLE"), (499_999_999, "INSUFFICIENT_FUNDS")],
)
def test_exactly_the_available_balance_may_be_paid(available_minor, code):
    spoken = finding(
        evaluate(payment(), facts(available_minor=available_minor), norwick()), "available_balance"
    )
    assert spoken.code == code
    assert spoken.numbers == {
        "amount_token_minor": 500_000_000,
        "available_token_minor": available_minor,
    }


def test_a_negative_available_balance_stops_every_outflow():
    decision = evaluate(payment(1, amount_minor=1), facts(available_minor=-5), norwick())
    assert decision.outcome is Outcome.DENY
    assert finding(decision, "available_balance").message == (
        "0.000001 USDC is more than the -0.000005 USDC available."
    )


@pytest.mark.parametrize(
    ("open_minor", "code"),
    [(500_000_000, "WITHIN_OPEN_AMOUNT"), (499_999_999, "ABOVE_OPEN_AMOUNT")],
)
def test_exactly_the_open_amount_may_be_paid(open_minor, code):
    spoken = finding(
        evaluate(payment(), facts(invoice_open_minor=open_minor), norwick()), "invoice_open"
    )
    assert spoken.code == code


def test_a_payment_without_invoice_needs_no_open_amount():
    decision = evaluate(payment(invoice_id=None), facts(invoice_open_minor=None), norwick())
    assert finding(decision, "invoice_open").code == "NO_INVOICE"
    assert decision.outcome is Outcome.ALLOW


# Burn 10,000.00 a month and 500.00 paid: 90 days want 30,000.00 afterwards, 30 days 10,000.00.
@pytest.mark.parametrize(
    ("cash_minor", "code", "days"),
    [
        (3_050_000, "RUNWAY_LONG_ENOUGH", 90),
        (3_049_999, "RUNWAY_BELOW_SOFT_FLOOR", 89),
        (1_050_000, "RUNWAY_BELOW_SOFT_FLOOR", 30),
        (1_049_999, "RUNWAY_BELOW_HARD_FLOOR", 29),
        (49_999, "RUNWAY_BELOW_HARD_FLOOR", 0),
    ],
)
def test_runway_floors_are_inclusive_and_count_this_payment(cash_minor, code, days):
    decision = evaluate(payment(), facts(runway=RunwayFact(cash_minor, 1_000_000, NOW)), norwick())
    spoken = finding(decision, "runway")
    assert (spoken.code, spoken.numbers["runway_days"]) == (code, days)
    assert spoken.numbers["cash_after_minor"] == cash_minor - 50_000
    expected = {
        "RUNWAY_LONG_ENOUGH": Outcome.ALLOW,
        "RUNWAY_BELOW_SOFT_FLOOR": Outcome.REQUIRE_APPROVAL,
        "RUNWAY_BELOW_HARD_FLOOR": Outcome.DENY,
    }
    assert decision.outcome is expected[code]


@pytest.mark.parametrize(("cash_minor", "burn_minor"), [(None, 1), (1, None), (None, None)])
def test_an_unknown_runway_asks_and_never_passes(cash_minor, burn_minor):
    decision = evaluate(payment(), facts(runway=RunwayFact(cash_minor, burn_minor, NOW)), norwick())
    assert (decision.outcome, decision.requirement) == (Outcome.REQUIRE_APPROVAL, CFO)
    assert finding(decision, "runway").code == "RUNWAY_UNKNOWN"


def test_nonsense_figures_never_lengthen_the_runway():
    decision = evaluate(payment(), facts(runway=RunwayFact(0, -(10**6), NOW)), norwick())
    assert finding(decision, "runway").code == "RUNWAY_BELOW_HARD_FLOOR"


def test_without_burn_cash_lasts_unless_there_is_too_little_of_it():
    lasts = evaluate(payment(), facts(runway=RunwayFact(50_000, 0, NOW)), norwick())
    assert finding(lasts, "runway").code == "RUNWAY_WITHOUT_BURN"
    short = evaluate(payment(), facts(runway=RunwayFact(49_999, 0, NOW)), norwick())
    assert finding(short, "runway").code == "RUNWAY_BELOW_HARD_FLOOR"


def test_requirements_of_several_rules_combine():
    decision = evaluate(
        payment(415_000), facts(runway=RunwayFact(None, None, NOW - timedelta(days=7))), norwick()
    )
    assert decision.requirement == TWO


def test_limits_see_the_greater_of_the_stated_and_the_priced_amount():
    dear = replace(facts().price, numerator=1001, denominator=1000)
    decision = evaluate(payment(100_000), facts(price=dear), norwick())
    assert finding(decision, "tiers").numbers["amount_minor"] == 100_100
    assert decision.outcome is Outcome.REQUIRE_APPROVAL
    cheap = replace(facts().price, numerator=999, denominator=1000)
    stated = evaluate(payment(100_000), facts(price=cheap), norwick())
    assert finding(stated, "tiers").numbers["amount_minor"] == 100_000
