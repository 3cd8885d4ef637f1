"""Ways of asking: an OR of ANDs of role groups, from the file's words to the decision's."""

import json
from random import Random

import pytest
import yaml

from policy.assessment import weigh
from policy.decision import RoleQuorum, decision_from_json
from policy.engine import evaluate
from policy.policy_set import load_policy_set, parse_policy_set
from tests.policy.oracle import Oracle
from tests.policy.test_oracle import summary
from tests.support.dimensions import only
from tests.support.policy import NEAR, NORWICK_YAML, facts, payment
from treasurer.kernel.errors import InvalidInput


def with_tiers(*answers: str, more: str = "") -> str:
    """Norwick's policy with these tiers of 100, 200 … dollars."""
    tree = yaml.load(NORWICK_YAML, Loader=yaml.BaseLoader)
    tree["tiers"] = [{"up_to": f"{i + 1}00.00 USD", "then": then} for i, then in enumerate(answers)]
    if more:
        tree["duplicates"] = {"near": more}
    return json.dumps(tree)


def test_either_way_is_asked_and_told():
    text = "ask 3 of approver or cfo, or 1 of cfo and 1 of approver within 48 h"
    policy_set = load_policy_set(with_tiers(text))
    assert parse_policy_set(policy_set.canonical) == policy_set
    decision = evaluate(payment(100), facts(), policy_set)
    assert decision.requirement is not None
    assert decision.requirement.branches == (
        (RoleQuorum(("approver",), 1), RoleQuorum(("cfo",), 1)),
        (RoleQuorum(("approver", "cfo"), 3),),
    )
    words = "1 of approver and 1 of cfo, or 3 of approver or cfo, different people, within 48 h"
    assert f"Needs approval by {words}." in decision.explanation
    assert words in policy_set.describe()[0]
    assert decision_from_json(decision.to_json()) == decision


def test_the_order_of_ways_and_of_their_groups_is_no_difference():
    one = load_policy_set(with_tiers("ask 2 of approver, or 1 of cfo and 1 of approver"))
    other = load_policy_set(with_tiers("ask 1 of approver and 1 of cfo, or 2 of approver"))
    assert one.digest == other.digest


def test_two_questions_meet_each_way_with_each_and_keep_what_says_something():
    policy_set = load_policy_set(
        with_tiers("ask 1 of cfo, or 2 of approver", more="ask 1 of approver")
    )
    found = evaluate(payment(100), facts(duplicates=(NEAR,)), policy_set).requirement
    assert found is not None
    assert found.branches == (
        (RoleQuorum(("approver",), 1), RoleQuorum(("cfo",), 1)),
        (RoleQuorum(("approver",), 2),),
    )


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            "ask 1 of cfo, or 1 of cfo and 1 of approver",
            "1 of approver and 1 of cfo says nothing new: whoever gives it also gives 1 of cfo",
        ),
        ("ask 1 of approver or cfo, or 1 of cfo", "1 of cfo says nothing new"),
        ("ask 1 of cfo, or", "'1 of cfo, or' does not say who is asked"),
        ("ask 1 of cfo, 2 of approver", "other ways of asking follow after a comma"),
        ("ask 1 of cfo within 2 h, or 2 of approver", "write a span of time as"),
        ("ask 1 of clerk, or 1 of cfo", "clerk has no vote"),
        (
            "ask 5 of cfo, or 4 of cfo and 1 of approver, or 3 of cfo and 2 of approver,"
            " or 2 of cfo and 3 of approver, or 1 of cfo and 4 of approver",
            "at most 4 ways of asking",
        ),
    ],
)
def test_ways_that_say_nothing_are_refused_in_plain_words(answer, told):
    with pytest.raises(InvalidInput) as refused:
        load_policy_set(with_tiers(answer))
    assert told in refused.value.message


@pytest.mark.parametrize(
    ("lower", "upper", "more"),
    [
        ("ask 1 of cfo", "ask 1 of cfo, or 2 of approver", ""),
        ("ask 2 of approver or cfo", "ask 2 of approver, or 1 of cfo", ""),
        # Stricter alone; beside a question for two CFOs the second way falls to the CFOs asked anyway.
        ("ask 2 of approver or cfo", "ask 3 of approver, or 2 of cfo", "ask 2 of cfo"),
    ],
)
def test_a_way_that_would_make_more_money_easier_is_refused(lower, upper, more):
    with pytest.raises(InvalidInput) as refused:
        load_policy_set(with_tiers(lower, upper, more=more))
    assert refused.value.code == "POLICY_TIERS_LOOSEN"
    assert "a larger amount would be easier to pay than a smaller one" in refused.value.message


def test_another_way_below_is_stricter_with_fewer_ways_above():
    load_policy_set(with_tiers("ask 1 of cfo, or 2 of approver", "ask 1 of cfo", "ask 2 of cfo"))


def asking(n: int) -> dict[str, object]:
    then = f"ask {2 * n} of cfo, or {n} of cfo and {2 * n} of approver, or {4 * n} of approver"
    return {"name": f"r{n}", "when": {"payee": f"V-{n}"}, "then": then}


def test_more_ways_than_can_be_proved_together_are_refused():
    """Three ways of each question: 27 together, then 81."""
    only(f"rules: {json.dumps([asking(1), asking(2), asking(3), asking(3) | {'name': 'same'}])}")
    with pytest.raises(InvalidInput) as refused:
        only(f"rules: {json.dumps([asking(n) for n in (1, 2, 3, 4)])}")
    assert refused.value.code == "POLICY_TOO_MANY_WAYS"
    assert "can be answered in 81 ways; at most 64" in refused.value.message


def test_engine_and_oracle_combine_ways_alike():
    random = Random(11)
    for _ in range(60):
        picked = [_ask(random) for _ in range(3)]
        tree = yaml.load(NORWICK_YAML, Loader=yaml.BaseLoader)
        tree["tiers"] = [{"up_to": "any amount", "then": picked[0]}]
        tree["rules"] = [{"name": "mine", "when": {"asset": "USDC"}, "then": picked[1]}]
        tree["duplicates"] = {"near": picked[2]}
        try:
            policy_set = load_policy_set(json.dumps(tree))
        except InvalidInput as refused:
            assert "says nothing new" in refused.message
            continue
        for about in (facts(), facts(duplicates=(NEAR,))):
            found = summary(weigh(payment(1), about, policy_set))
            assert found == Oracle(tree).answer(payment(1), about).summary, picked


def _ask(random: Random) -> str:
    roles = ["cfo", "approver", "approver or cfo"]
    ways = {
        " and ".join(f"{random.randint(1, 2)} of {role}" for role in random.sample(roles, groups))
        for groups in (random.randint(1, 2) for _ in range(random.randint(1, 3)))
    }
    return "ask " + ", or ".join(sorted(ways))
