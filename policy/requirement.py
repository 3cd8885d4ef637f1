"""Owns how approval requirements combine and compare. Must never make a combination weaker.

People fill seats: one person, one seat, whatever roles they hold.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import product

from policy.decision import ApprovalRequirement, RoleQuorum


def combined(requirements: Sequence[ApprovalRequirement]) -> ApprovalRequirement:
    """The union of all groups with the greatest count of each, and the shortest expiry.

    Alternatives combine each with each, since every requirement has to be met one way or another.
    Commutative, associative and idempotent, and at least as strict as each of `requirements`, of
    which there must be one.
    """
    if len(requirements) == 1:
        return requirements[0]
    # What two ask alike is asked once: with itself it makes nothing but longer branches.
    distinct = dict.fromkeys(each.branches for each in requirements)
    branches = sorted({_union(chosen) for chosen in product(*distinct)}, key=way_in_words)
    # Whoever fills a branch with more fills the one with less: the longer one says nothing new.
    least = [
        branch
        for branch in branches
        if not any(branch != other and implies(branch, other) for other in branches)
    ]
    expires_in_s = min(each.expires_in_s for each in requirements)
    return ApprovalRequirement(least[0], expires_in_s, tuple(least[1:]))


def covers(stricter: ApprovalRequirement | None, other: ApprovalRequirement | None) -> bool:
    """Whether all votes that meet `stricter` also meet `other`; None asks nobody.

    Sufficient, not necessary: however `stricter` is met, some branch of `other` finds for each of
    its seats one of its own whose roles would all do for it, and `stricter` waits no longer.
    """
    if other is None:
        return True
    if stricter is None or stricter.expires_in_s > other.expires_in_s:
        return False
    return all(
        any(implies(offered, wanted) for wanted in other.branches) for offered in stricter.branches
    )


def seats(groups: Sequence[RoleQuorum]) -> list[tuple[str, ...]]:
    """The roles of each seat, a seat for each person, in the groups' order."""
    return [group.roles for group in groups for _ in range(group.count)]


def _union(branches: Sequence[tuple[RoleQuorum, ...]]) -> tuple[RoleQuorum, ...]:
    counts: dict[tuple[str, ...], int] = {}
    for group in (group for branch in branches for group in branch):
        counts[group.roles] = max(counts.get(group.roles, 0), group.count)
    return tuple(RoleQuorum(roles, counts[roles]) for roles in sorted(counts))


def implies(stricter: Sequence[RoleQuorum], other: Sequence[RoleQuorum]) -> bool:
    """Whether whoever fills the groups of `stricter` fills those of `other` as well."""
    offered = [frozenset(seat) for seat in seats(stricter)]
    wanted = [frozenset(seat) for seat in seats(other)]
    fits = [[i for i, offer in enumerate(offered) if offer <= want] for want in wanted]
    return len(matched(fits)) == len(wanted)


def matched(choices: Sequence[Sequence[int]]) -> dict[int, int]:
    """A largest matching: each chosen number → index of the chooser, every number at most once.

    Kuhn's augmenting paths; seats and people are few. Choosers are tried in their order, so the
    result depends on nothing but the argument.
    """
    holder: dict[int, int] = {}

    def seat_for(chooser: int, tried: set[int]) -> bool:
        for choice in choices[chooser]:
            if choice in tried:
                continue
            tried.add(choice)
            if choice not in holder or seat_for(holder[choice], tried):
                holder[choice] = chooser
                return True
        return False

    for chooser in range(len(choices)):
        seat_for(chooser, set())
    return holder


def in_words(requirement: ApprovalRequirement) -> str:
    """For people: `1 of cfo and 1 of approver or cfo, within 72 h`."""
    ways = ", or ".join(map(way_in_words, requirement.branches))
    different = ", different people" if requirement.people > 1 else ""
    return f"{ways}{different}, within {duration_in_words(requirement.expires_in_s)}"


def way_in_words(branch: Sequence[RoleQuorum]) -> str:
    """One way of asking: `1 of cfo and 1 of approver or cfo`."""
    return " and ".join(f"{group.count} of {' or '.join(group.roles)}" for group in branch)


def duration_in_words(seconds: int) -> str:
    """The largest unit that divides `seconds`: `15 min`, `72 h`, `7 days` only above 72 hours."""
    delta = timedelta(seconds=seconds)
    if delta > timedelta(hours=72) and not seconds % 86_400:
        return f"{seconds // 86_400} days"
    for size, unit in ((3_600, "h"), (60, "min")):
        if seconds and not seconds % size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
