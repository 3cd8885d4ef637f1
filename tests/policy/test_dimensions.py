"""Each dimension on its own: exact answers at, below and above every bound."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policy.background import HistoryFact, LocalTimeFact, SanctionsFact, history_of
from policy.decision import Outcome
from policy.engine import evaluate
from policy.facts import facts_from_json
from policy.policy_set import parse_policy_set
from policy.rules.registry import RULES
from tests.support.dimensions import (
    EVERY_YAML,
    KNOWN_PAYEE,
    LOCAL,
    every,
    every_with,
    known,
    only,
    sums,
)
from tests.support.policy import NOW, facts, finding, payment
from treasurer.kernel.errors import InvalidInput

ALLOW, ASK, DENY = Outcome.ALLOW, Outcome.REQUIRE_APPROVAL, Outcome.DENY


def test_the_sample_has_every_rule():
    made = {
        type(rule.inner if hasattr(rule, "inner") else rule).__module__ for rule in every().rules
    }
    assert {make.__module__ for make in RULES} - made == {"policy.rules.budget"}
    assert "budget.cloud.calendar_month" in {rule.name for rule in every().rules}


def test_the_sample_is_stored_and_read_back():
    assert parse_policy_set(every().canonical) == every()
    assert facts_from_json(known().to_json()) == known()


def test_a_payment_that_offends_no_dimension_passes():
    decision = evaluate(payment(20_000), known(), every())
    assert (decision.outcome, len(decision.findings)) == (ALLOW, len(every().rules))


WINDOWS = {
    "payee.7_days": "{by: payee, over: 7 days, at_most: 100.00 USD}",
    "initiator.24_h": "{by: initiator, over: 24 h, at_most: 100.00 USD}",
    "agent.30_days": "{by: agent, over: 30 days, at_most: 100.00 USD}",
    "asset.calendar_month": "{by: asset, over: calendar month, at_most: 100.00 USD}",
    "network.24_h": "{by: network, over: 24 h, at_most: 100.00 USD}",
    "category.7_days": "{by: category, over: 7 days, at_most: 100.00 USD}",
    "organization.30_days": "{by: organization, over: 30 days, at_most: 100.00 USD}",
}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize(
    ("spent", "amount", "outcome"),
    [(0, 10_000, ALLOW), (0, 10_001, DENY), (9_999, 1, ALLOW), (9_999, 2, DENY), (10_000, 1, DENY)],
)
def test_a_window_counts_this_payment_inclusively(name, spent, amount, outcome):
    policy_set = only(f"limits: {{windows: [{WINDOWS[name]}]}}")
    about = known(windows=sums(**{name.replace(".", "_"): spent}))
    decision = evaluate(payment(amount), about, policy_set)
    spoken = finding(decision, f"window.{name}")
    assert (decision.outcome, spoken.code) == (
        outcome,
        "WINDOW_LIMIT" if outcome is DENY else "WITHIN_WINDOW_LIMIT",
    )
    assert spoken.numbers == {"amount_minor": amount, "spent_minor": spent, "limit_minor": 10_000}


def test_a_window_without_its_sum_denies_for_now():
    policy_set = only(f"limits: {{windows: [{WINDOWS['payee.7_days']}]}}")
    for about in (facts(), known(windows=sums(payee_24_h=0))):
        decision = evaluate(payment(1), about, policy_set)
        assert (decision.outcome, decision.retriable) == (DENY, True)


def test_people_do_not_count_in_the_window_of_agents():
    policy_set = only(f"limits: {{windows: [{WINDOWS['agent.30_days']}]}}")
    about = known(windows=sums(agent_30_days=10_000))
    assert evaluate(payment(1), about, policy_set).outcome is DENY
    assert evaluate(payment(1, initiator_kind="human"), about, policy_set).outcome is ALLOW


def test_a_window_may_bind_only_where_its_condition_holds():
    policy_set = only(
        "limits: {windows: [{by: payee, over: 24 h, at_most: 1.00 USD, when: {category: rent}}]}"
    )
    about = known(windows=sums(payee_24_h=0))
    assert evaluate(payment(101), about, policy_set).outcome is ALLOW
    rent = replace(about, payee=replace(KNOWN_PAYEE, category="rent"))
    assert evaluate(payment(101), rent, policy_set).outcome is DENY
    unknown = replace(about, payee=replace(KNOWN_PAYEE, category=None))
    lost = evaluate(payment(1), unknown, policy_set)
    assert (lost.outcome, lost.retriable) == (DENY, True)


@pytest.mark.parametrize(
    ("category", "amount", "outcome"),
    [("cloud", 10_000, ALLOW), ("cloud", 10_001, DENY), ("rent", 10_001, ALLOW), ("", 1, ALLOW)],
)
def test_a_budget_binds_its_category(category, amount, outcome):
    policy_set = only("budgets: [{category: cloud, over: calendar month, at_most: 100.00 USD}]")
    about = known(
        payee=replace(KNOWN_PAYEE, category=category), windows=sums(category_calendar_month=0)
    )
    assert evaluate(payment(amount), about, policy_set).outcome is outcome


@pytest.mark.parametrize(
    ("field", "days", "seconds", "outcome"),
    [
        ("since", 30, 0, ALLOW),
        ("since", 30, -1, ASK),
        ("address_since", 7, 0, ALLOW),
        ("address_since", 7, -1, ASK),
        ("address_since", -1, 0, ASK),
    ],
)
def test_a_young_payee_or_address_is_shown(field, days, seconds, outcome):
    policy_set = only(
        "payees: {cooling_off: 24 h, young:"
        " {payee_under: 30 days, address_under: 7 days, then: ask 1 of cfo}}"
    )
    since = NOW - timedelta(days=days, seconds=seconds)
    about = known(payee=replace(KNOWN_PAYEE, **{field: since}))
    assert evaluate(payment(1), about, policy_set).outcome is outcome
    missing = evaluate(payment(1), known(payee=replace(KNOWN_PAYEE, **{field: None})), policy_set)
    assert (missing.outcome, missing.retriable) == (DENY, True)


def test_the_first_payment_to_an_address_is_shown():
    policy_set = only("payees: {cooling_off: 24 h, first_payment: {then: ask 1 of cfo}}")
    moved = known(history=HistoryFact(50, 0, 1, 1))
    assert evaluate(payment(1), moved, policy_set).outcome is ASK
    assert evaluate(payment(1), known(history=HistoryFact(1, 1, 1, 0)), policy_set).outcome is ALLOW
    assert evaluate(payment(1), known(history=None), policy_set).retriable


@pytest.mark.parametrize(
    ("history", "amount", "outcome"),
    [
        # 1,000.00 usually, give or take 50.00: but a tenth of the median is the least spread.
        (HistoryFact(5, 5, 100_000, 5_000), 130_000, ALLOW),
        (HistoryFact(5, 5, 100_000, 5_000), 130_001, ASK),
        (HistoryFact(5, 5, 100_000, 20_000), 160_000, ALLOW),
        (HistoryFact(5, 5, 100_000, 20_000), 160_001, ASK),
        (HistoryFact(5, 5, 100_000, 0), 1, ALLOW),
        (HistoryFact(4, 4, 100_000, 5_000), 10_000_000, ALLOW),
    ],
)
def test_only_the_upper_tail_is_off_pattern(history, amount, outcome):
    policy_set = only(
        "payees: {cooling_off: 24 h, off_pattern: {payments: 5, spreads: 3, then: ask 1 of cfo}}"
    )
    assert evaluate(payment(amount), known(history=history), policy_set).outcome is outcome


@pytest.mark.parametrize(
    ("amounts", "fact"),
    [
        ([], HistoryFact(0, 0, 0, 0)),
        ([7], HistoryFact(1, 1, 7, 0)),
        ([1, 3, 100], HistoryFact(3, 1, 3, 2)),
        ([100, 1, 3, 5], HistoryFact(4, 1, 3, 2)),
    ],
)
def test_history_takes_lower_medians(amounts, fact):
    assert history_of(amounts, 1) == fact


def test_findings_of_intake_are_shown():
    policy_set = only("evidence: {findings: [UNGROUNDED_VALUE, PO_OVER], then: ask 1 of cfo}")
    decision = evaluate(
        payment(1), known(evidence=("X", "PO_OVER", "UNGROUNDED_VALUE")), policy_set
    )
    assert finding(decision, "evidence").numbers == {"findings": "PO_OVER, UNGROUNDED_VALUE"}
    assert decision.outcome is ASK
    assert evaluate(payment(1), known(evidence=("X",)), policy_set).outcome is ALLOW
    assert evaluate(payment(1), known(evidence=None), policy_set).retriable


@pytest.mark.parametrize(
    ("kind", "roles", "code"),
    [
        ("agent", (), "INITIATOR_ALLOWED"),
        ("service", (), "INITIATOR_KIND"),
        ("human", ("clerk",), "INITIATOR_ALLOWED"),
        ("human", ("approver", "auditor"), "INITIATOR_ROLE"),
        ("human", (), "INITIATOR_ROLE"),
        ("human", None, "FACT_MISSING"),
    ],
)
def test_who_may_propose(kind, roles, code):
    policy_set = only("initiators: {kinds: [human, agent], roles: [clerk, cfo]}")
    decision = evaluate(payment(1, initiator_kind=kind), known(initiator_roles=roles), policy_set)
    assert finding(decision, "initiator").code == code
    assert (decision.outcome is ALLOW) is (code == "INITIATOR_ALLOWED")


@pytest.mark.parametrize(
    ("local", "inside"),
    [
        (LOCAL, True),
        (replace(LOCAL, minute=479), False),
        (replace(LOCAL, minute=480), True),
        (replace(LOCAL, minute=1079), True),
        (replace(LOCAL, minute=1080), False),
        (replace(LOCAL, weekday=6), False),
        (replace(LOCAL, date="2026-12-25"), False),
        (LocalTimeFact("Europe/Paris", "2026-11-02", 1, 600), False),
        (None, False),
    ],
)
def test_outside_of_business_hours_a_payment_waits(local, inside):
    policy_set = only(
        'hours: {zone: Europe/Berlin, days: [mon, tue, wed, thu, fri], from: "08:00",'
        ' to: "18:00", holidays: [2026-12-25], outside: wait}'
    )
    decision = evaluate(payment(1), known(local_time=local), policy_set)
    assert (decision.outcome, decision.retriable) == ((ALLOW, False) if inside else (DENY, True))


@pytest.mark.parametrize(
    ("fact", "code"),
    [
        (SanctionsFact((), NOW - timedelta(days=30)), "NOT_SANCTIONED"),
        (SanctionsFact((), NOW - timedelta(days=30, seconds=1)), "FACT_STALE"),
        (SanctionsFact(("Acme",), NOW - timedelta(days=99)), "SANCTIONED"),
        (None, "FACT_MISSING"),
    ],
)
def test_nobody_on_the_sanctions_list_is_paid(fact, code):
    decision = evaluate(payment(1), known(sanctions=fact), only("sanctions: {max_age: 30 days}"))
    assert finding(decision, "sanctions").code == code
    assert (decision.outcome is ALLOW) is (code == "NOT_SANCTIONED")
    assert decision.retriable is (code in ("FACT_STALE", "FACT_MISSING"))


@pytest.mark.parametrize(("batch", "outcome"), [(2, ALLOW), (3, DENY), (None, DENY)])
def test_an_order_joins_only_so_many(batch, outcome):
    policy_set = only("limits: {batch: {at_most: 2}}")
    assert evaluate(payment(1), known(batch=batch), policy_set).outcome is outcome


@pytest.mark.parametrize(
    ("age_days", "seconds", "limit"),
    [
        (-1, 0, 10_000),
        (0, 0, 10_000),
        (3, -1, 10_000),
        (3, 0, 50_000),
        (14, -1, 50_000),
        (14, 0, None),
    ],
)
def test_what_is_new_ramps_up_by_age(age_days, seconds, limit):
    steps = "[{under: 3 days, at_most: 100.00 USD}, {under: 14 days, at_most: 500.00 USD}]"
    since = NOW - timedelta(days=age_days, seconds=seconds)
    for section, about in (
        ("new_address", known(payee=replace(KNOWN_PAYEE, address_since=since))),
        ("new_policy", known(policy_since=since)),
    ):
        policy_set = only(f"ramp: {{{section}: {steps}}}")
        about = replace(about, windows=sums(payee_24_h=4_000, organization_24_h=4_000))
        most = 10**9 if limit is None else limit - 4_000
        assert evaluate(payment(most), about, policy_set).outcome is ALLOW
        if limit is not None:
            above = evaluate(payment(most + 1), about, policy_set)
            assert finding(above, f"ramp.{section}").code == "RAMP"
            assert above.outcome is DENY


CONDITIONS = [
    ("{initiator_kind: agent}", True),
    ("{initiator_kind: [human, service]}", False),
    ("{amount: above 199.99 USD}", True),
    ("{amount: above 200.00 USD}", False),
    ("{not: {amount: at most 199.99 USD}}", True),
    ("{all: [{asset: USDC}, {network: 31337}]}", True),
    ("{asset: USDC, network: 1}", False),
    ("{any: [{asset: MNEE}, {payee: V-001}]}", True),
    ("{payee_age: under 400 days}", False),
    ("{payee_age: at least 400 days}", True),
    ("{payments_to_payee: at least 11}", False),
    ("{payments_to_address: under 11}", True),
    ("{role: [cfo, service]}", True),
    ("{evidence: NEAR}", False),
    ("{category: none}", False),
    ("{not: {any: [{category: rent}, {not: {category: cloud}}]}}", True),
]


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS)
def test_conditions_combine(condition, holds):
    policy_set = only(f"rules: [{{name: mine, when: {condition}, then: deny}}]")
    assert parse_policy_set(policy_set.canonical) == policy_set
    decision = evaluate(payment(20_000), known(), policy_set)
    assert finding(decision, "rule.mine").code == ("RULE" if holds else "RULE_SILENT")
    assert decision.outcome is (DENY if holds else ALLOW)


def test_a_condition_needs_all_its_facts_also_where_one_would_decide():
    """Else 300.00 would only be asked for, while 100.00 waits: more would be easier."""
    policy_set = only(
        "rules: [{name: mine, then: ask 1 of cfo,"
        " when: {any: [{amount: above 200.00 USD}, {category: rent}]}}]"
    )
    lost = known(payee=replace(KNOWN_PAYEE, category=None))
    for amount in (10_000, 30_000):
        decision = evaluate(payment(amount), lost, policy_set)
        assert (decision.outcome, decision.retriable) == (DENY, True)


@pytest.mark.parametrize(
    "condition",
    [
        "{amount: at most 200.00 USD}",
        "{not: {amount: above 200.00 USD}}",
        "{all: [{asset: USDC}, {not: {any: [{amount: above 1.00 USD}]}}]}",
        "{not: {not: {amount: at most 1.00 USD}}}",
    ],
)
def test_a_condition_that_falls_with_the_amount_is_refused(condition):
    with pytest.raises(InvalidInput) as refused:
        only(f"rules: [{{name: mine, when: {condition}, then: deny}}]")
    assert "asking for more would be easier" in refused.value.message


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{category: cloud}\n  rolling", "{amount: above 1.00 USD}\n  rolling", "leave it out"),
        ("{payments_to_payee: under 3}", "{payments: under 3}", "payments is no field"),
        ("{payments_to_payee: under 3}", "{payments_to_payee: 3}", "at least …"),
        ("{initiator_kind: agent}", "{initiator_kind: robot}", "robot is no initiator_kind"),
        ("{under: 14 days, at_most: 5000.00 USD}", "{under: 2 days, at_most: 5000.00 USD}", "grow"),
        ('to: "18:00"', 'to: "08:00"', "hours end after they begin"),
        ("2026-12-24", "24.12.2026", "write a date as"),
        ("agents-start-small", "Agents Start", "pattern"),
    ],
)
def test_mistakes_are_named(old, new, says):
    with pytest.raises(InvalidInput) as refused:
        every_with(old, new)
    assert says in refused.value.message


def test_two_limits_of_one_scope_are_refused():
    line = "    - {by: payee, over: 7 days, at_most: 15000.00 USD}\n"
    with pytest.raises(InvalidInput) as refused:
        every_with(line, line * 2)
    assert "two limits have the same scope: window.payee.7_days" in refused.value.message
    assert EVERY_YAML.count(line) == 1
