"""How often one provider is asked, and how its record ranks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treasurer.chain.health import Health
from treasurer.chain.pace import RequestPace, retry_after_s

S = 10**9


class Hands:
    def __init__(self) -> None:
        self.ns = 5 * S

    def __call__(self) -> int:
        return self.ns


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3 * S)), min_size=1, max_size=30))
def test_no_second_sees_more_than_the_cap_and_one_burst(steps: list[tuple[int, int]]) -> None:
    hands = Hands()
    pace = RequestPace(20, hands)
    left: list[tuple[int, int]] = []
    for calls, idle_ns in steps:
        hands.ns += pace.take(calls)
        left.append((hands.ns, calls))
        hands.ns += idle_ns
    for at, _ in left:
        # The last request of a second may be as large as a batch; all before it keep to the cap.
        within = [calls for then, calls in left if at <= then < at + S]
        assert sum(within[:-1]) <= 2 * 20 + max(within)


def test_without_a_cap_nothing_waits() -> None:
    pace = RequestPace(None, Hands())
    assert [pace.take(500) for _ in range(5)] == [0] * 5


def test_the_cap_delays_what_exceeds_a_seconds_worth() -> None:
    hands = Hands()
    pace = RequestPace(10, hands)
    assert [pace.take(10) for _ in range(3)] == [0, 0, S]
    hands.ns += 3 * S
    assert pace.take(10) == 0


def test_a_closed_door_opens_when_it_said() -> None:
    hands = Hands()
    pace = RequestPace(None, hands)
    pace.close_for(3)
    assert pace.closed_s() == 3
    hands.ns += 2 * S + 1
    assert pace.closed_s() == 1
    hands.ns += S
    assert pace.closed_s() == 0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 1), ("86400", 60), ("", 1), ("Wed, 21 Oct 2026 07:28:00 GMT", 1), ("٣", 1)],
)
def test_retry_after(header: str, seconds: int) -> None:
    assert retry_after_s(header) == seconds


def test_a_record_of_failures() -> None:
    health = Health().answered(8_000_000)
    assert health.latency_ns == 8_000_000
    rests = []
    for _ in range(8):
        health = health.failed(S)
        rests.append((health.resting_until_ns - S) // S)
    assert rests == [0, 0, 1, 2, 4, 8, 10, 10]
    assert Health().failed(S, retry_after_s=30).resting_until_ns == 31 * S
    healed = health.answered(8_000_000)
    assert (healed.consecutive_failures, healed.resting_until_ns) == (0, 0)


def test_who_is_asked_first() -> None:
    good = Health(head=100, latency_ns=10_000_000)
    slow = Health(head=100, latency_ns=40_000_000)
    stale = Health(head=91, latency_ns=1_000)
    failing = Health(head=100, latency_ns=1_000, consecutive_failures=1)
    resting = Health(head=100, latency_ns=1_000, resting_until_ns=9 * S)
    shuffled = [resting, stale, slow, failing, good]
    ranked = sorted(shuffled, key=lambda health: health.rank(5 * S, best_head=100))
    assert ranked == [good, slow, failing, stale, resting]
    seen = good.saw_head(101, 7 * S).saw_head(101, 20 * S)
    assert (seen.head, seen.head_age_s(27 * S)) == (101, 20)
