"""How verdicts combine: the lattice, default deny, rules that fail, requirements."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.assessment import weigh
from policy.decision import ApprovalRequirement, Outcome, RoleQuorum
from policy.engine import evaluate
from policy.requirement import combined, covers, duration_in_words, in_words
from policy.verdict import Ruling
from tests.support.policy import PROPERTY, BrokenRule, DenyPayee, facts, finding, norwick, payment


def requirement(*groups: tuple[tuple[str, ...], int], expires_in_s: int = 3_600):
    sorted_groups = sorted(groups)
    return ApprovalRequirement(tuple(RoleQuorum(*g) for g in sorted_groups), expires_in_s)


groups = st.dictionaries(
    st.sampled_from([("approver",), ("cfo",), ("approver", "cfo"), ("approver", "board", "cfo")]),
    st.integers(1, 3),
    min_size=1,
)
requirements = st.builds(
    lambda counts, expiry: requirement(*counts.items(), expires_in_s=expiry),
    groups,
    st.sampled_from([60, 3_600, 86_400]),
)


def test_outcomes_are_ordered():
    assert Outcome.ALLOW < Outcome.REQUIRE_APPROVAL < Outcome.DENY


def test_a_set_whose_rules_merely_do_not_object_denies():
    mute = replace(norwick(), rules=tuple(r for r in norwick().rules if r.name != "tiers"))
    decision = evaluate(payment(), facts(), mute)
    assert (decision.outcome, decision.retriable) == (Outcome.DENY, False)
    assert finding(decision, "default").code == "NO_RULE_MATCHED"
    assert evaluate(payment(), facts(), replace(norwick(), rules=())).outcome is Outcome.DENY


def test_a_rule_that_asks_does_not_permit():
    mute = replace(norwick(), rules=tuple(r for r in norwick().rules if r.name == "runway"))
    decision = evaluate(payment(), facts(runway=replace(facts().runway, cash_minor=None)), mute)
    assert finding(decision, "runway").outcome is Outcome.REQUIRE_APPROVAL
    assert decision.outcome is Outcome.DENY


def test_a_rule_that_raises_denies_and_is_named():
    broken = replace(norwick(), rules=(*norwick().rules, BrokenRule("odd")))
    decision = evaluate(payment(), facts(), broken)
    assert (decision.outcome, decision.retriable) == (Outcome.DENY, False)
    spoken = finding(decision, "odd")
    assert (spoken.code, spoken.outcome) == ("RULE_ERROR", Outcome.DENY)
    assert spoken.numbers == {"broken_rule": "odd", "error": "ZeroDivisionError"}
    assert len(decision.findings) == len(broken.rules)


def test_facts_that_a_rule_chokes_on_deny():
    naive = facts().as_of.replace(tzinfo=None)
    decision = evaluate(payment(), facts(as_of=naive), norwick())
    assert decision.outcome is Outcome.DENY
    assert finding(decision, "ledger_age").code == "RULE_ERROR"


def test_a_rule_that_answers_nonsense_denies():
    class Nonsense(BrokenRule):
        __slots__ = ()

        def weigh(self, request, facts):
            return None

    odd = replace(norwick(), rules=(*norwick().rules, Nonsense("odd")))
    assert weigh(payment(), facts(), odd).outcome is Outcome.DENY


def test_a_denial_dominates_an_approval():
    barred = replace(norwick(), rules=(DenyPayee("barred", "V-001"), *norwick().rules))
    decision = evaluate(payment(415_000), facts(), barred)
    assert (decision.outcome, decision.requirement) == (Outcome.DENY, None)
    assert decision.findings[0].code == "PAYEE_BARRED"


def test_asking_and_a_requirement_go_together():
    with pytest.raises(ValueError, match="go together"):
        Ruling("r", "C", Outcome.REQUIRE_APPROVAL, "Asks.")
    with pytest.raises(ValueError, match="go together"):
        Ruling("r", "C", Outcome.ALLOW, "Fine.", requirement=requirement((("cfo",), 1)))


def test_groups_unite_with_the_greatest_count_and_the_shortest_expiry():
    one = requirement((("approver", "cfo"), 2), expires_in_s=7_200)
    other = requirement((("approver", "cfo"), 1), (("cfo",), 1), expires_in_s=3_600)
    assert combined([one, other]) == requirement(
        (("approver", "cfo"), 2), (("cfo",), 1), expires_in_s=3_600
    )


@PROPERTY
@given(st.lists(requirements, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_combining_is_order_independent_and_never_weaker(several, random):
    together = combined(several)
    shuffled = list(several)
    random.shuffle(shuffled)
    assert combined(shuffled) == together
    assert combined([together, *several]) == together
    assert all(covers(together, one) for one in several)


@PROPERTY
@given(requirements, requirements, requirements)
def test_covering_is_transitive(a, b, c):
    assert covers(a, a)
    assert not (covers(a, b) and covers(b, c)) or covers(a, c)


def test_covering():
    two = requirement((("cfo",), 1), (("approver", "cfo"), 1))
    assert covers(two, requirement((("approver", "cfo"), 2)))
    assert not covers(requirement((("approver", "cfo"), 2)), two)
    assert not covers(requirement((("cfo",), 1)), two)
    assert covers(two, None)
    assert not covers(None, two)
    assert not covers(replace(two, expires_in_s=3_601), two)


def test_requirements_in_words():
    two = requirement((("cfo",), 1), (("approver", "cfo"), 1), expires_in_s=259_200)
    assert in_words(two) == "1 of approver or cfo and 1 of cfo, different people, within 72 h"
    assert [duration_in_words(s) for s in (90, 900, 259_200, 604_800, 61)] == [
        "90 s",
        "15 min",
        "72 h",
        "7 days",
        "61 s",
    ]


def test_alternatives_combine_each_with_each_and_keep_the_least():
    def group(role: str, count: int = 1) -> RoleQuorum:
        return RoleQuorum((role,), count)

    cfo_or_two = ApprovalRequirement((group("cfo"),), 3_600, ((group("approver", 2),),))
    one = requirement((("approver",), 1), expires_in_s=60)
    both = combined([cfo_or_two, one])
    # Two approvers are an approver already; the CFO needs one beside them.
    assert set(both.branches) == {(group("approver"), group("cfo")), (group("approver", 2),)}
    assert (both.expires_in_s, both.people) == (60, 2)
    assert combined([one, cfo_or_two]) == both
    assert combined([both, one, cfo_or_two]) == both
    assert covers(both, cfo_or_two)
    assert covers(both, one)
    assert not covers(cfo_or_two, one)
    assert in_words(cfo_or_two) == "1 of cfo, or 2 of approver, different people, within 1 h"
