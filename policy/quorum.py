"""Owns how votes are counted (I12, I14). Must never count an agent, the requester, or a person twice.

Maker is not checker here, for every requirement: nobody can configure it away.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

from policy.decision import ApprovalRequirement, RoleQuorum
from policy.requirement import matched, seats


class Choice(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Vote:
    """One vote. `kind` is human, agent or service; `roles` are those of the voter when counting.

    A delegate votes for somebody else, `for_user_id`, and then `roles` are that person's.
    """

    user_id: str
    kind: str
    roles: frozenset[str]
    choice: Choice
    for_user_id: str | None = None

    @property
    def humans(self) -> frozenset[str]:
        """Who stands behind the vote: the voter, and the person voted for."""
        return frozenset({self.user_id, self.for_user_id or self.user_id})


@dataclass(frozen=True, slots=True)
class QuorumState:
    """`missing` are the groups with the people still wanted; empty and unrefused means `met`.

    `counted` are the voters who fill a seat or would if one were free, `ignored` those whose
    approval does not count with the reason, `refused_by` who said no; all sorted by user.
    """

    met: bool
    missing: tuple[RoleQuorum, ...]
    refused_by: tuple[str, ...]
    counted: tuple[str, ...]
    ignored: tuple[tuple[str, str], ...]


def quorum_met(
    requirement: ApprovalRequirement,
    votes: Iterable[Vote],
    requester_id: str,
    payee_changed_by: Set[str],
) -> QuorumState:
    """Count `votes`, in any order and with repetitions.

    One person fills one seat, whatever roles they hold; seats are given out so that as many as
    possible are filled. One rejection by a human with a role that is asked refuses, also from the
    requester: a no is always safe. `payee_changed_by` are those who changed the payee or its
    address within cooling-off. A delegate's vote is excluded by either person, and nobody counts
    twice, be it once by themselves and once through a delegate.
    """
    refused: list[str] = []
    counted: dict[str, frozenset[str]] = {}
    ignored: list[tuple[str, str]] = []
    wanted = requirement.roles
    behind: set[str] = set()
    for user_id, person in sorted(_people(votes).items()):
        reason = _objection(person, wanted, requester_id, payee_changed_by)
        if person.choice is Choice.REJECT:
            if person.kind == "human" and person.roles & wanted:
                refused.append(user_id)
        elif reason is not None:
            ignored.append((user_id, reason))
        elif person.humans & behind:
            ignored.append((user_id, "stands behind another vote already"))
        else:
            behind |= person.humans
            counted[user_id] = person.roles
    missing = min(
        (_missing(branch, list(counted.values())) for branch in requirement.branches),
        key=lambda groups: sum(group.count for group in groups),
    )
    return QuorumState(
        met=not missing and not refused and all(requirement.branches),
        missing=missing,
        refused_by=tuple(refused),
        counted=tuple(counted),
        ignored=tuple(ignored),
    )


def _people(votes: Iterable[Vote]) -> dict[str, Vote]:
    """One vote a person. Contradictions count the cautious way: reject, not human, fewer roles."""
    people: dict[str, Vote] = {}
    for vote in votes:
        before = people.get(vote.user_id, vote)
        people[vote.user_id] = Vote(
            user_id=vote.user_id,
            kind=max(before.kind, vote.kind, key=lambda kind: (kind != "human", kind)),
            # A vote for one person and a vote for another are no vote for either.
            roles=before.roles & vote.roles
            if before.for_user_id == vote.for_user_id
            else frozenset(),
            choice=Choice.REJECT if Choice.REJECT in (before.choice, vote.choice) else vote.choice,
            for_user_id=max(before.for_user_id or "", vote.for_user_id or "") or None,
        )
    return people


def _objection(
    person: Vote, wanted: frozenset[str], requester_id: str, payee_changed_by: Set[str]
) -> str | None:
    if person.kind != "human":
        return "only people vote"
    if requester_id in person.humans:
        return "requested the payment"
    if person.humans & payee_changed_by:
        return "changed the payee within its cooling-off"
    return None if person.roles & wanted else "holds no role that is asked"


def _missing(groups: Sequence[RoleQuorum], roles: list[frozenset[str]]) -> tuple[RoleQuorum, ...]:
    wanted = seats(groups)
    fits = [[i for i, held in enumerate(roles) if held & frozenset(seat)] for seat in wanted]
    filled = set(matched(fits).values())
    missing = [seat for i, seat in enumerate(wanted) if i not in filled]
    return tuple(
        RoleQuorum(group.roles, missing.count(group.roles))
        for group in groups
        if group.roles in missing
    )
