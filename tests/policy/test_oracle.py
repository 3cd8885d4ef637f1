"""The engine and the naive second evaluator agree, and bugs planted in a rule are seen by it."""

import ast
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given

from policy.assessment import Assessment, weigh
from policy.background import ScopedSum
from policy.decision import Outcome
from policy.facts import Facts
from policy.policy_set import PolicySet, load_policy_set, parse_policy_set
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Verdict, allows
from tests.policy.oracle import Oracle
from tests.policy.oracle_answer import Way, in_order
from tests.policy.test_properties import at_least_as_strict
from tests.support.dimensions import (
    EVERY_YAML,
    every,
    known,
    only,
    only_yaml,
    random_facts,
    random_request,
)
from tests.support.policy import NORWICK_YAML, NOW, PROPERTY, any_facts, norwick, payment, requests
from treasurer.kernel.money import Asset

ORACLE = Oracle(yaml.load(EVERY_YAML, Loader=yaml.BaseLoader))
NORWICK_ORACLE = Oracle(yaml.load(NORWICK_YAML, Loader=yaml.BaseLoader))
A_BATCH, A_PART, A_MILLION = 2_000, 10_000, 1_000_000

Case = tuple[PaymentRequest, Facts]


def summary(found: Assessment) -> tuple[str, bool, list[Way], int | None]:
    required = found.requirement
    if required is None:
        return found.outcome.name, found.retriable, [], None
    ways = [{group.roles: group.count for group in branch} for branch in required.branches]
    return found.outcome.name, found.retriable, in_order(ways), required.expires_in_s


def agrees(oracle: Oracle, policy_set: PolicySet, request: PaymentRequest, facts: Facts) -> bool:
    return summary(weigh(request, facts, policy_set)) == oracle.answer(request, facts).summary


def disagreements(cases: int, seed: int) -> list[tuple[PaymentRequest, Facts]]:
    random = Random(seed)
    drawn = ((random_request(random), random_facts(random)) for _ in range(cases))
    return [case for case in drawn if not agrees(ORACLE, every(), *case)]


def test_engine_and_oracle_agree_on_every_dimension():
    """Another batch a day, so that CI walks on; the seed stands in the message of a failure."""
    seed = date.today().toordinal()
    assert disagreements(A_BATCH, seed) == [], seed


@PROPERTY
@given(requests(), any_facts())
def test_engine_and_oracle_agree_on_the_plain_policy(request, about):
    assert summary(weigh(request, about, norwick())) == (
        NORWICK_ORACLE.answer(request, about).summary
    )


def _parts() -> list[tuple[int, int]]:
    """First case and end of each part, within TREASURER_ORACLE_CASES=A:B."""
    first, _, end = (os.environ.get("TREASURER_ORACLE_CASES") or f"0:{A_MILLION}").partition(":")
    starts = range(int(first), int(end), A_PART)
    return [(start, min(start + A_PART, int(end))) for start in starts]


@pytest.mark.soak
@pytest.mark.parametrize(("first", "end"), _parts())
def test_engine_and_oracle_agree_a_million_times(first, end):
    """`make oracle` runs all parts; the ranges in their names say where to resume."""
    assert disagreements(end - first, first) == []


_LEAVES = (
    {"initiator_kind": "agent"},
    {"asset": ["USDC", "MNEE"]},
    {"asset": "MNEE"},
    {"category": ["none", "rent"]},
    {"payee_age": "at least 30 days"},
    {"address_age": "under 604800 s"},
    {"payments_to_payee": "under 3"},
    {"payments_to_address": "at least 1"},
    {"role": "cfo"},
    {"evidence": ["UNGROUNDED_VALUE"]},
    {"payee": "V-001"},
    {"network": "31337"},
)


def random_condition(random: Random, depth: int = 2, *, negated: bool = False) -> dict[str, Any]:
    """A condition that the compiler takes: the amount rises outside of `not` and falls inside."""
    kind = random.choice(["leaf", "amount", "all", "any", "not"] if depth else ["leaf", "amount"])
    if kind == "leaf":
        return random.choice(_LEAVES)
    if kind == "amount":
        return {"amount": "at most 200.00 USD" if negated else "above 200.00 USD"}
    if kind == "not":
        return {"not": random_condition(random, depth - 1, negated=not negated)}
    parts = range(random.randint(1, 3))
    return {kind: [random_condition(random, depth - 1, negated=negated) for _ in parts]}


def test_random_conditions_agree_and_never_loosen_with_the_amount():
    random = Random(5)
    for _ in range(100):
        tree = yaml.load(NORWICK_YAML, Loader=yaml.BaseLoader)
        then = random.choice(["deny", "wait", "ask 1 of cfo"])
        tree["rules"] = [{"name": "mine", "when": random_condition(random), "then": then}]
        policy_set = load_policy_set(json.dumps(tree))
        assert parse_policy_set(policy_set.canonical) == policy_set
        for _ in range(20):
            request, about = random_request(random), random_facts(random)
            assert agrees(Oracle(tree), policy_set, request, about), tree["rules"]
            more = request.reporting_amount_minor + random.randint(0, 500_000)
            raised = replace(request, reporting_amount_minor=more)
            before, after = weigh(request, about, policy_set), weigh(raised, about, policy_set)
            assert at_least_as_strict(after, before), tree["rules"]


def test_the_random_cases_reach_every_outcome():
    """Guards the cases: agreement on denials alone would prove little."""
    random, seen = Random(7), Counter()
    for _ in range(1_000):
        seen[weigh(random_request(random), random_facts(random), every()).outcome] += 1
    assert set(seen) == set(Outcome)
    assert min(seen.values()) >= 20


def test_the_oracle_knows_only_the_types_of_the_data():
    imported = {
        node.module
        for name in ("oracle.py", "oracle_answer.py")
        for node in ast.walk(ast.parse(Path(__file__).with_name(name).read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("policy")
    }
    assert imported == {"policy.facts", "policy.request"}


# Bugs planted as rules of their own, in a set in which that rule speaks alone.


@dataclass(frozen=True, slots=True)
class Off(Rule):
    """A correct rule that sees another amount: by 1, `<` stands for `<=`; by -1, a sum is short."""

    inner: Rule
    by: int

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        seen = max(1, request.reporting_amount_minor + self.by)
        return self.inner.weigh(replace(request, reporting_amount_minor=seen), facts)

    def describe(self, reporting: Asset) -> str:
        return "Planted."


@dataclass(frozen=True, slots=True)
class Skipping(Rule):
    """A rule that is skipped where it cannot say anything, as if an exception had been swallowed."""

    inner: Rule

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        ruling, values = self.inner.weigh(request, facts)
        if ruling.code == "FACT_MISSING":
            return allows(self.name, "SKIPPED", "Skipped."), ()
        return ruling, values

    def describe(self, reporting: Asset) -> str:
        return "Planted."


def planted(policy_set: PolicySet, name: str, plant: Callable[[Rule], Rule]) -> PolicySet:
    assert name in {rule.name for rule in policy_set.rules}
    rules = tuple(plant(rule) if rule.name == name else rule for rule in policy_set.rules)
    return replace(policy_set, rules=rules)


def differing(section: str, name: str, plant: Callable[[Rule], Rule], cases: list[Case]) -> int:
    """How many cases tell the planted set from the oracle, which agrees with the sound one on all."""
    oracle = Oracle(yaml.load(only_yaml(section), Loader=yaml.BaseLoader))
    sound = only(section)
    assert all(agrees(oracle, sound, *case) for case in cases)
    wrong = planted(sound, name, plant)
    return sum(not agrees(oracle, wrong, *case) for case in cases)


AT_100 = {
    "payment_limit": "limits: {per_payment: [{at_most: 100.00 USD}]}",
    "payment_limit.agent": "limits: {per_payment: [{at_most: 100.00 USD, for: agent}]}",
    "rolling_24h": "limits: {rolling_24h: {at_most: 100.00 USD}}",
    "window.payee.7_days": "limits: {windows: [{by: payee, over: 7 days, at_most: 100.00 USD}]}",
    "budget.cloud.24_h": "budgets: [{category: cloud, over: 24 h, at_most: 100.00 USD}]",
    "ramp.new_policy": "ramp: {new_policy: [{under: 999 days, at_most: 100.00 USD}]}",
    "rule.big": "rules: [{name: big, when: {amount: above 100.00 USD}, then: deny}]",
}


@pytest.mark.parametrize("name", AT_100)
@pytest.mark.parametrize("by", [1, -1])
def test_a_limit_that_is_off_by_one_is_seen(name, by):
    spent = tuple(ScopedSum(window, 0, NOW) for window in only(AT_100[name]).windows)
    cases = [(payment(minor), known(windows=spent)) for minor in (9_999, 10_000, 10_001)]
    assert differing(AT_100[name], name, lambda rule: Off(name, rule, by), cases) == 1


MISSING = {
    "rolling_24h": ("spent_24h", AT_100["rolling_24h"]),
    "window.payee.7_days": ("windows", AT_100["window.payee.7_days"]),
    "first_payment": ("history", "payees: {cooling_off: 24 h, first_payment: {then: deny}}"),
    "evidence": ("evidence", "evidence: {findings: [ODD], then: deny}"),
    "batch_size": ("batch", "limits: {batch: {at_most: 2}}"),
    "sanctions": ("sanctions", "sanctions: {max_age: 30 days}"),
    "rule.mine": (
        "history",
        "rules: [{name: mine, when: {payments_to_payee: under 1}, then: deny}]",
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_rule_that_is_skipped_is_seen(name):
    fact, section = MISSING[name]
    cases = [(payment(1), replace(known(), **{fact: None}))]
    assert differing(section, name, lambda rule: Skipping(name, rule), cases) == 1
