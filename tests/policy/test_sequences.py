"""A bounded model check: no split, order, initiator, payee or role gets more out than windows allow (I16).

Searches all sequences of a small world exhaustively. The world keeps its sums as the stores do: in
flight from the decision, settled by whole minutes from some later step, each counted in its scopes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from policy.assessment import weigh
from policy.background import ScopedSum
from policy.decision import Outcome
from policy.facts import Facts, WindowFact
from policy.policy_set import PolicySet
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.scopes import Window, first_minute, key_of
from policy.verdict import Verdict
from tests.support.dimensions import known, only
from tests.support.policy import NOW, payment
from treasurer.kernel.money import Asset

# 100.00 a day in all, 60.00 a payee in 24 h, 50.00 an initiator, 70.00 by all agents, 80.00 a week,
# and 40.00 a payment of an agent.
POLICY = only("""
limits:
  per_payment: [{at_most: 40.00 USD, for: agent}]
  rolling_24h: {at_most: 100.00 USD}
  windows:
    - {by: payee, over: 24 h, at_most: 60.00 USD}
    - {by: initiator, over: 24 h, at_most: 50.00 USD}
    - {by: agent, over: 24 h, at_most: 70.00 USD}
    - {by: organization, over: 7 days, at_most: 180.00 USD}
initiators: {kinds: [human, agent], roles: [clerk]}
""")
DAY = timedelta(hours=24)
LIMITS = {"": 10_000, "payee": 6_000, "initiator": 5_000, "agent": 7_000}
AMOUNTS = (1_000, 4_000, 6_000)
PAYEES = ("V-001", "V-002")
# An initiator, its kind and the roles that it has when it proposes: a delegated clerk, and none.
INITIATORS = (
    ("anna", "human", ("clerk",)),
    ("bob", "human", ("clerk", "approver")),
    ("carl", "human", ("approver",)),
    ("bot-1", "agent", ()),
    ("bot-2", "agent", ()),
)
STEPS = (timedelta(0), timedelta(hours=13), timedelta(hours=24, minutes=2))


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment that passed. It settles a minute after, so that the oldest minute matters too."""

    request: PaymentRequest

    def counts_from(self) -> object:
        return (self.request.now + timedelta(minutes=1)).replace(second=0, microsecond=0)


def facts_at(request: PaymentRequest, roles: tuple[str, ...], paid: tuple[Paid, ...]) -> Facts:
    def total(window: Window) -> int:
        key = key_of(window.scope, request, "")
        first = first_minute(window.period, request.now)
        return sum(
            one.request.reporting_amount_minor
            for one in paid
            if key_of(window.scope, one.request, "") == key and one.counts_from() >= first
        )

    sums = tuple(ScopedSum(window, total(window), request.now) for window in POLICY.windows)
    in_all = sum(
        one.request.reporting_amount_minor
        for one in paid
        if one.counts_from() >= request.now.replace(second=0, microsecond=0) - DAY
    )
    about = known(
        as_of=request.now,
        windows=sums,
        spent_24h=WindowFact(in_all, request.now),
        initiator_roles=roles,
    )
    return replace(about, price=replace(about.price, as_of=request.now))


def most_paid(paid: tuple[Paid, ...]) -> Counter[str]:
    """The most that left within any 24 hours, in all and by each scope, by its proposal's instant."""
    most: Counter[str] = Counter()
    for end in paid:
        within = [
            p.request for p in paid if end.request.now - DAY < p.request.now <= end.request.now
        ]
        totals: Counter[tuple[str, str]] = Counter()
        for request in within:
            for name, key in (
                ("", ""),
                ("payee", request.payee_id),
                ("initiator", request.initiator_id),
                ("agent", "" if request.initiator_kind == "agent" else "-"),
            ):
                totals[name, key] += request.reporting_amount_minor
        for (name, key), minor in totals.items():
            if key != "-":
                most[name] = max(most[name], minor)
    return most


MOVES = tuple(product(AMOUNTS, PAYEES, INITIATORS, STEPS))
FEWER = tuple(
    move
    for move in MOVES
    if move[0] != 6_000 and move[2][0] in ("anna", "bot-1", "bot-2") and move[3] != STEPS[1]
)


def search(
    policy_set: PolicySet, depth: int, moves: Sequence[tuple[Any, ...]] = MOVES
) -> tuple[Counter[str], int]:
    """Go through every sequence of `depth` moves; the most that left, and how many were tried."""
    worst: Counter[str] = Counter()
    tried = 0
    # A state is what was paid and when it is; states that differ only in names are searched once.
    frontier: dict[tuple[object, ...], tuple[Paid, ...]] = {(): ()}
    for _ in range(depth):
        reached: dict[tuple[object, ...], tuple[Paid, ...]] = {}
        for paid in frontier.values():
            last = paid[-1].request.now if paid else NOW
            for minor, payee_id, (initiator, kind, roles), step in moves:
                tried += 1
                request = payment(
                    minor,
                    payee_id=payee_id,
                    initiator_id=initiator,
                    initiator_kind=kind,
                    now=last + step,
                )
                if weigh(request, facts_at(request, roles, paid), policy_set).outcome is (
                    Outcome.ALLOW
                ):
                    after = (*paid, Paid(request))
                    reached[_shape(after)] = after
        frontier = reached
        for paid in frontier.values():
            worst |= most_paid(paid)
    return worst, tried


def _shape(paid: tuple[Paid, ...]) -> tuple[object, ...]:
    """Equal for states whose future is the same: sums by scope and instant, whatever the order."""
    last = paid[-1].request.now
    payees = {name: i for i, name in enumerate(dict.fromkeys(p.request.payee_id for p in paid))}
    return tuple(
        sorted(
            (
                last - p.request.now,
                payees[p.request.payee_id],
                p.request.initiator_id,
                p.request.reporting_amount_minor,
            )
            for p in paid
        )
    )


@dataclass(frozen=True, slots=True)
class Short(Rule):
    """A window that is off by one: it forgets one unit of this payment's amount."""

    inner: Rule

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        less = request.reporting_amount_minor - 1
        return self.inner.weigh(replace(request, reporting_amount_minor=max(1, less)), facts)

    def describe(self, reporting: Asset) -> str:
        return "Planted."


def test_no_sequence_gets_more_out_than_the_windows_allow(
    capsys: pytest.CaptureFixture[str],
) -> None:
    worst, tried = search(POLICY, 3)
    with capsys.disabled():
        bound = ", ".join(f"{name or 'all'} {worst[name]}/{LIMITS[name]}" for name in LIMITS)
        print(f"\n{tried} proposals in sequences of 3; most within 24 h: {bound}")
    assert tried > 10_000
    for name, limit_minor in LIMITS.items():
        assert worst[name] <= limit_minor
    # The search reaches the limits, so that a wrong bound would be seen.
    assert worst["initiator"] == 5_000
    assert worst["payee"] == 6_000


@pytest.mark.soak
def test_no_longer_sequence_gets_more_out_either() -> None:
    """Fewer moves and one more of them: the agents' and the whole day's limits are reached too."""
    worst, tried = search(POLICY, 4, FEWER)
    assert tried > 10_000
    assert all(worst[name] <= limit_minor for name, limit_minor in LIMITS.items())
    assert worst["agent"] == LIMITS["agent"]


def test_the_search_finds_a_window_that_is_missing() -> None:
    rules = tuple(rule for rule in POLICY.rules if rule.name != "window.initiator.24_h")
    worst, _ = search(replace(POLICY, rules=rules), 2)
    assert worst["initiator"] > LIMITS["initiator"]


def test_the_search_finds_a_window_that_is_off_by_one() -> None:
    name = "window.payee.24_h"
    tight = only("limits: {windows: [{by: payee, over: 24 h, at_most: 49.99 USD}]}")
    assert search(tight, 2)[0]["payee"] <= 4_999
    short = tuple(Short(name, rule) if rule.name == name else rule for rule in tight.rules)
    assert search(replace(tight, rules=short), 2)[0]["payee"] > 4_999
