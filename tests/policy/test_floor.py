"""What every policy set asks at least where a person answered for the invoice."""

from dataclasses import replace

import pytest

from policy.assessment import weigh
from policy.decision import ApprovalRequirement, Outcome, RoleQuorum
from policy.engine import evaluate
from policy.facts import facts_from_json
from policy.floor import topped_up
from policy.requirement import covers
from policy.reviewed import PurchaseFact, ReviewFact
from tests.support.policy import facts, finding, norwick, payment

VOTERS, CFO = ("approver", "cfo"), ("cfo",)
REVIEWED = ReviewFact(("u-1",), ("PO_OVER",), ())
WITHOUT_ASKING, ONE, TWO, BEYOND = 100_000, 1_000_000, 2_500_000, 2_500_001


def asked(amount_minor, **about):
    decided = weigh(payment(amount_minor), facts(**about), norwick())
    required = decided.requirement
    groups = {} if required is None else {group.roles: group.count for group in required.groups}
    return decided.outcome, groups


@pytest.mark.parametrize("state", ["over", "under_receipt", "mismatch", "closed", "some_new_word"])
def test_a_difference_that_nobody_accepted_is_never_paid(state):
    assert asked(WITHOUT_ASKING, purchase=PurchaseFact(state)) == (Outcome.DENY, {})
    assert asked(TWO, purchase=PurchaseFact(state), review=REVIEWED) == (Outcome.DENY, {})


@pytest.mark.parametrize("state", ["no_order", "matched"])
def test_what_was_ordered_so_asks_nothing_more(state):
    assert asked(WITHOUT_ASKING, purchase=PurchaseFact(state)) == (Outcome.ALLOW, {})


@pytest.mark.parametrize(
    ("amount_minor", "groups"),
    [
        (WITHOUT_ASKING, {VOTERS: 2}),
        (ONE, {VOTERS: 2}),
        (TWO, {CFO: 1, VOTERS: 1}),
    ],
)
def test_an_accepted_difference_takes_two_people_whatever_the_set_asks(amount_minor, groups):
    accepted = PurchaseFact("over", "u-1")
    expected = (Outcome.REQUIRE_APPROVAL, groups)
    assert asked(amount_minor, purchase=accepted, review=REVIEWED) == expected
    # It permits nothing: above all tiers it stays denied.
    assert asked(BEYOND, purchase=accepted, review=REVIEWED) == (Outcome.DENY, {})


@pytest.mark.parametrize(
    ("amount_minor", "groups"),
    [
        (WITHOUT_ASKING, {VOTERS: 1}),
        (ONE, {VOTERS: 1}),
        (TWO, {CFO: 1, VOTERS: 1}),
    ],
)
def test_any_other_reviewed_invoice_takes_one_person(amount_minor, groups):
    expected = (Outcome.REQUIRE_APPROVAL, groups)
    assert asked(amount_minor, review=REVIEWED) == expected


def test_a_set_without_rules_still_denies():
    empty = replace(norwick(), rules=())
    about = facts(purchase=PurchaseFact("over", "u-1"), review=REVIEWED)
    assert weigh(payment(), about, empty).outcome is Outcome.DENY


def test_each_way_of_meeting_a_requirement_is_filled_up():
    either = ApprovalRequirement((RoleQuorum(CFO, 1),), 3_600, ((RoleQuorum(("approver",), 3),),))
    filled = topped_up([either], 2)
    assert filled.branches == (
        (RoleQuorum(VOTERS, 1), RoleQuorum(CFO, 1)),
        (RoleQuorum(("approver",), 3),),
    )
    assert covers(filled, either)
    assert topped_up([], 2) == ApprovalRequirement((RoleQuorum(VOTERS, 2),), 72 * 3_600)


def test_the_decision_says_why_and_what_would_change_it():
    about = facts(purchase=PurchaseFact("under_receipt", "u-1"), review=REVIEWED)
    decision = evaluate(payment(WITHOUT_ASKING), about, norwick())
    spoken = finding(decision, "reviewed")
    assert spoken.code == "PURCHASE_DIFFERENCE_ACCEPTED"
    assert spoken.numbers == {"state": "under_receipt", "accepted_by": "u-1"}
    assert spoken.requirement == decision.requirement
    assert decision.counterfactual == (
        "It would pass without approval if order, receipt and bill agreed."
    )


def test_facts_with_and_without_a_review_keep_their_bytes():
    """Decisions that were stored before there were reviews replay to the byte."""
    assert b"purchase" not in facts().to_json()
    assert b"review" not in facts().to_json()
    about = facts(purchase=PurchaseFact("over", "u-1"), review=REVIEWED)
    assert facts_from_json(about.to_json()) == about
    assert facts_from_json(facts().to_json()) == facts()
