"""Owns how approval requirements combine and compare. Must never make a combination weaker.

People fill seats: one person, one seat, whatever roles they hold.
"""

from collections.abc import Sequence
from datetime import timedelta

from policy.decision import ApprovalRequirement, RoleQuorum


def combined(requirements: Sequence[ApprovalRequirement]) -> ApprovalRequirement:
    """The union of all groups with the greatest count of each, and the shortest expiry.

    Commutative, associative and idempotent, and at least as strict as each of `requirements`, of
    which there must be one.
    """
    if len(requirements) == 1:
        return requirements[0]
    counts: dict[tuple[str, ...], int] = {}
    expiries = []
    for requirement in requirements:
        expiries.append(requirement.expires_in_s)
        for group in requirement.groups:
            counts[group.roles] = max(counts.get(group.roles, 0), group.count)
    groups = tuple(RoleQuorum(roles, counts[roles]) for roles in sorted(counts))
    return ApprovalRequirement(groups, min(expiries))


def covers(stricter: ApprovalRequirement | None, other: ApprovalRequirement | None) -> bool:
    """Whether all votes that meet `stricter` also meet `other`; None asks nobody.

    Sufficient, not necessary: each seat of `other` finds a seat of its own in `stricter` whose
    roles would all do for it, and `stricter` waits no longer.
    """
    if other is None:
        return True
    if stricter is None or stricter.expires_in_s > other.expires_in_s:
        return False
    offered = [frozenset(seat) for seat in seats(stricter)]
    wanted = [frozenset(seat) for seat in seats(other)]
    fits = [[i for i, offer in enumerate(offered) if offer <= want] for want in wanted]
    return len(matched(fits)) == len(wanted)


def seats(requirement: ApprovalRequirement) -> list[tuple[str, ...]]:
    """The roles of each seat, a seat for each person, in the requirement's order."""
    return [group.roles for group in requirement.groups for _ in range(group.count)]


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
    groups = " and ".join(
        f"{group.count} of {' or '.join(group.roles)}" for group in requirement.groups
    )
    different = ", different people" if requirement.people > 1 else ""
    return f"{groups}{different}, within {duration_in_words(requirement.expires_in_s)}"


def duration_in_words(seconds: int) -> str:
    """The largest unit that divides `seconds`: `15 min`, `72 h`, `7 days` only above 72 hours."""
    delta = timedelta(seconds=seconds)
    if delta > timedelta(hours=72) and not seconds % 86_400:
        return f"{seconds // 86_400} days"
    for size, unit in ((3_600, "h"), (60, "min")):
        if seconds and not seconds % size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
