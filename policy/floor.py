"""Owns what every policy set asks at least. Must never be softened by one: no file has a word for it.

What a person took upon themselves, other people agree to. A bill that differs from its order or from
what was received takes two of them, and a reason that somebody gave; any other reviewed invoice takes
one. The reviewers are makers, whom `policy.quorum` does not count.

It speaks only where there is something to say, so that decisions made without such facts replay.
"""

from collections.abc import Sequence
from dataclasses import replace

from policy.change import Change
from policy.decision import ApprovalRequirement, Outcome, RoleQuorum
from policy.facts import Facts
from policy.grammar import VOTERS
from policy.requirement import combined
from policy.verdict import Ruling, Verdict, denies

FOR_A_DIFFERENCE = 2
FOR_A_REVIEW = 1
EXPIRES_IN_S = 72 * 3_600
"""How long people have where the policy set asks nobody; else its own, shorter time holds."""

_NAME = "reviewed"
_UNANSWERED = denies(
    _NAME,
    "PURCHASE_DIFFERS",
    "The bill differs from its order ({state}), and nobody has accepted that with a reason.",
    "state",
)


def floor(facts: Facts, asked: Sequence[ApprovalRequirement]) -> Verdict | None:
    """What the reviews of the invoice ask besides `asked`, which the rules ask; None: nothing."""
    purchase = facts.purchase
    if purchase is not None and purchase.differs:
        if purchase.accepted_by is None:
            return _UNANSWERED, (purchase.state,)
        ruling = _ruling(
            "PURCHASE_DIFFERENCE_ACCEPTED",
            "The bill differs from its order ({state}), which a person accepted with a reason; "
            "two other people have to agree.",
            ("state", "accepted_by"),
            topped_up(asked, FOR_A_DIFFERENCE),
        )
        return ruling, (purchase.state, purchase.accepted_by)
    if facts.review is None:
        return None
    ruling = _ruling(
        "INVOICE_REVIEWED",
        "The invoice was held and goes on by a person's word; another person has to agree.",
        (),
        topped_up(asked, FOR_A_REVIEW),
    )
    return ruling, ()


def topped_up(asked: Sequence[ApprovalRequirement], people: int) -> ApprovalRequirement:
    """What `asked` asks, each way of meeting it filled up with voters to at least `people`."""
    if not asked:
        return ApprovalRequirement((RoleQuorum(VOTERS, people),), EXPIRES_IN_S)
    whole = combined(asked)
    first, *others = (_filled(branch, people) for branch in whole.branches)
    return ApprovalRequirement(first, whole.expires_in_s, tuple(others))


def changes(facts: Facts) -> tuple[Change, ...]:
    """Other facts under which the floor says nothing."""
    purchase = facts.purchase
    if purchase is not None and purchase.differs:
        agreed = replace(facts, purchase=replace(purchase, state="matched"), review=None)
        return (Change(agreed, "if order, receipt and bill agreed"),)
    if facts.review is None:
        return ()
    return (Change(replace(facts, review=None), "if nothing had held the invoice"),)


def _filled(branch: tuple[RoleQuorum, ...], people: int) -> tuple[RoleQuorum, ...]:
    counts = {group.roles: group.count for group in branch}
    lacking = people - sum(counts.values())
    if lacking > 0:
        counts[VOTERS] = counts.get(VOTERS, 0) + lacking
    return tuple(RoleQuorum(roles, counts[roles]) for roles in sorted(counts))


def _ruling(
    code: str, wording: str, names: tuple[str, ...], requirement: ApprovalRequirement
) -> Ruling:
    return Ruling(_NAME, code, Outcome.REQUIRE_APPROVAL, wording, names, requirement=requirement)
