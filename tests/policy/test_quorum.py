"""Counting votes (I12, I14): distinct people, not the maker, one seat each, as many as possible."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.decision import ApprovalRequirement, RoleQuorum
from policy.quorum import Choice, Vote, quorum_met
from policy.requirement import seats
from tests.support.policy import PROPERTY

CFO_AND_ONE = ApprovalRequirement(
    (RoleQuorum(("approver", "cfo"), 1), RoleQuorum(("cfo",), 1)), 3_600
)
ONE_EACH = ApprovalRequirement((RoleQuorum(("approver",), 1), RoleQuorum(("cfo",), 1)), 3_600)


def vote(user_id: str, *roles: str, kind: str = "human", choice: Choice = Choice.APPROVE) -> Vote:
    return Vote(user_id, kind, frozenset(roles), choice)


def count(requirement: ApprovalRequirement, *votes: Vote, changed_by: frozenset[str] = frozenset()):
    return quorum_met(requirement, votes, "requester", changed_by)


def test_two_people_one_of_them_the_cfo():
    assert count(CFO_AND_ONE, vote("ann", "approver"), vote("bob", "cfo")).met
    assert count(CFO_AND_ONE, vote("ann", "cfo"), vote("bob", "cfo")).met
    alone = count(CFO_AND_ONE, vote("ann", "approver"), vote("bob", "approver"))
    assert not alone.met
    assert alone.missing == (RoleQuorum(("cfo",), 1),)
    assert alone.counted == ("ann", "bob")


def test_nobody_voted():
    state = count(CFO_AND_ONE)
    assert not state.met
    assert state.missing == CFO_AND_ONE.groups


def test_one_person_with_both_roles_fills_one_seat():
    state = count(ONE_EACH, vote("ann", "approver", "cfo"))
    assert not state.met
    assert sum(group.count for group in state.missing) == 1


@pytest.mark.parametrize("order", [0, 1])
def test_seats_are_given_so_that_most_are_filled(order):
    """Whoever has both roles must not take the seat that the other one needs."""
    votes = [vote("ann", "approver", "cfo"), vote("zoe", "approver")]
    assert count(ONE_EACH, *(votes if order else reversed(votes))).met
    assert count(ONE_EACH, vote("ann", "approver"), vote("zoe", "approver", "cfo")).met


def test_those_who_do_not_count():
    state = count(
        CFO_AND_ONE,
        vote("requester", "cfo"),
        vote("agent", "cfo", "approver", kind="agent"),
        vote("service", "cfo", kind="service"),
        vote("changer", "cfo"),
        vote("clerk", "clerk"),
        vote("admin", "administrator"),
        changed_by=frozenset({"changer"}),
    )
    assert not state.met
    assert state.missing == CFO_AND_ONE.groups
    assert state.counted == ()
    assert dict(state.ignored) == {
        "requester": "requested the payment",
        "agent": "only people vote",
        "service": "only people vote",
        "changer": "changed the payee within its cooling-off",
        "clerk": "holds no role that is asked",
        "admin": "holds no role that is asked",
    }


def test_a_refusal_by_somebody_asked_refuses():
    approvals = (vote("ann", "approver"), vote("bob", "cfo"))
    refusal = vote("eve", "approver", choice=Choice.REJECT)
    state = count(CFO_AND_ONE, *approvals, refusal)
    assert (state.met, state.refused_by, state.missing) == (False, ("eve",), ())
    own = count(CFO_AND_ONE, *approvals, vote("requester", "cfo", choice=Choice.REJECT))
    assert own.refused_by == ("requester",)
    robot = count(CFO_AND_ONE, *approvals, vote("agent", "cfo", kind="agent", choice=Choice.REJECT))
    assert robot.met


def test_contradictory_votes_of_one_person_count_the_cautious_way():
    approvals = (vote("ann", "approver"), vote("bob", "cfo"))
    assert count(CFO_AND_ONE, *approvals, vote("bob", "cfo", choice=Choice.REJECT)).refused_by == (
        "bob",
    )
    assert not count(CFO_AND_ONE, *approvals, vote("bob", "cfo", kind="agent")).met
    assert not count(CFO_AND_ONE, *approvals, vote("bob", "approver")).met


def test_a_requirement_without_groups_is_never_met():
    assert not count(ApprovalRequirement((), 3_600), vote("ann", "cfo")).met


_roles = st.frozensets(st.sampled_from(["approver", "cfo", "board", "clerk"]), max_size=3)
_votes = st.lists(
    st.builds(
        Vote,
        user_id=st.sampled_from(["a", "b", "c", "d", "requester", "changer"]),
        kind=st.sampled_from(["human", "human", "human", "agent"]),
        roles=_roles,
        choice=st.sampled_from([Choice.APPROVE, Choice.APPROVE, Choice.APPROVE, Choice.REJECT]),
    ),
    max_size=7,
    unique_by=lambda vote: vote.user_id,
)
_groups = st.lists(
    st.builds(
        RoleQuorum,
        st.sampled_from([("approver",), ("cfo",), ("approver", "cfo"), ("board", "cfo")]),
        st.integers(1, 2),
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda group: group.roles,
)
_requirements = _groups.map(lambda groups: ApprovalRequirement(tuple(groups), 3_600))


def _most_seats(requirement: ApprovalRequirement, votes: list[Vote]) -> int:
    """By trying every order of people: as many seats as any seating fills."""
    people = [
        vote.roles
        for vote in votes
        if vote.kind == "human"
        and vote.choice is Choice.APPROVE
        and vote.user_id not in ("requester", "changer")
    ]
    wanted = seats(requirement.groups)
    people += [frozenset()] * max(0, len(wanted) - len(people))
    return max(
        sum(bool(held & frozenset(seat)) for held, seat in zip(order, wanted, strict=False))
        for order in permutations(people)
    )


@PROPERTY
@given(_requirements, _votes)
def test_as_many_seats_are_filled_as_any_seating_fills(requirement, votes):
    state = count(requirement, *votes, changed_by=frozenset({"changer"}))
    unfilled = sum(group.count for group in state.missing)
    assert unfilled == requirement.people - _most_seats(requirement, votes)
    assert state.met is (unfilled == 0 and not state.refused_by)


@PROPERTY
@given(_requirements, _votes, st.integers(1, 5), st.randoms(use_true_random=False))
def test_repeating_and_reordering_votes_changes_nothing(requirement, votes, times, random):
    repeated = votes * times
    random.shuffle(repeated)
    changed_by = frozenset({"changer"})
    assert count(requirement, *repeated, changed_by=changed_by) == count(
        requirement, *votes, changed_by=changed_by
    )


@PROPERTY
@given(_requirements, _roles, st.integers(1, 500))
def test_many_votes_of_one_person_fill_one_seat(requirement, roles, times):
    state = count(requirement, *[Vote("ann", "human", roles, Choice.APPROVE)] * times)
    filled = requirement.people - sum(group.count for group in state.missing)
    assert filled <= 1
    assert state.met is (filled == requirement.people == 1)


@PROPERTY
@given(_requirements, _votes)
def test_makers_and_machines_never_help(requirement, votes):
    changed_by = frozenset({"changer"})
    others = [
        vote
        for vote in votes
        if vote.kind == "human" and vote.user_id not in ("requester", "changer")
    ]
    if count(requirement, *votes, changed_by=changed_by).met:
        assert count(requirement, *others, changed_by=changed_by).met


CFO_OR_TWO = ApprovalRequirement(
    (RoleQuorum(("cfo",), 1),), 3600, ((RoleQuorum(("approver",), 2),),)
)


def test_either_way_of_a_requirement_does():
    assert count(CFO_OR_TWO, vote("carol", "cfo")).met
    assert count(CFO_OR_TWO, vote("ann", "approver"), vote("bob", "approver")).met
    one = count(CFO_OR_TWO, vote("ann", "approver"))
    assert (one.met, one.missing) == (False, (RoleQuorum(("cfo",), 1),))
    assert not count(ApprovalRequirement((), 3600, ((RoleQuorum(("cfo",), 1),),))).met


def for_somebody(user_id: str, principal: str, *roles: str) -> Vote:
    return Vote(user_id, "human", frozenset(roles), Choice.APPROVE, for_user_id=principal)


TWO = ApprovalRequirement((RoleQuorum(("approver", "cfo"), 2),), 3600)


@pytest.mark.parametrize(
    "votes",
    [
        # The principal and the delegate are one voice.
        (vote("ann", "approver"), for_somebody("xeno", "ann", "approver")),
        # Two delegates of one principal.
        (for_somebody("xeno", "ann", "approver"), for_somebody("yann", "ann", "approver")),
        # A chain: each stands behind the next.
        (for_somebody("ann", "bob", "cfo"), for_somebody("xeno", "ann", "approver")),
        # One delegate for two principals.
        (for_somebody("xeno", "ann", "approver"), for_somebody("xeno", "bob", "cfo")),
    ],
)
def test_nobody_stands_behind_two_votes(votes):
    state = count(TWO, *votes)
    assert not state.met
    assert len(state.counted) <= 1


def test_a_delegate_brings_the_roles_of_whom_they_vote_for():
    state = count(CFO_OR_TWO, for_somebody("xeno", "carol", "cfo"))
    assert (state.met, state.counted) == (True, ("xeno",))


def test_a_maker_never_counts_through_a_delegate():
    asked = ApprovalRequirement((RoleQuorum(("cfo",), 1),), 3600)
    requested = count(asked, for_somebody("xeno", "requester", "cfo"))
    changed = count(asked, for_somebody("xeno", "dora", "cfo"), changed_by=frozenset({"dora"}))
    assert (requested.met, changed.met) == (False, False)
    assert requested.ignored == (("xeno", "requested the payment"),)
    assert changed.ignored == (("xeno", "changed the payee within its cooling-off"),)
