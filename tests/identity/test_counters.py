"""Counts in windows: exact for many at once, shared by processes, and no obstacle without Valkey."""

import asyncio

from redis.asyncio import Redis

from tests.support.clock import ManualClock
from tests.support.identity import dead_valkey
from treasurer.identity.counters import WindowCount, WindowCounters


async def test_every_one_of_many_at_once_gets_its_own_number(
    valkey: Redis, clock: ManualClock
) -> None:
    one, two = WindowCounters(valkey, clock=clock), WindowCounters(valkey, clock=clock)
    counted = await asyncio.gather(
        *(
            counters.count(name, window_s=60)
            for _ in range(50)
            for name in ("a", "b")
            for counters in (one, two)
        )
    )
    numbers = sorted(each.count for each in counted if each)
    assert numbers == sorted([*range(1, 101)] * 2)


async def test_a_window_ends_and_its_key_is_cleaned_up(valkey: Redis, clock: ManualClock) -> None:
    counters = WindowCounters(valkey, clock=clock)
    clock.advance(seconds=42)
    assert await counters.count("a", window_s=60) == WindowCount(1, 18)
    (key,) = await valkey.keys()
    assert 0 < await valkey.ttl(key) <= 120
    clock.advance(seconds=18)
    assert await counters.count("a", window_s=60) == WindowCount(1, 60)
    await counters.forget("a", window_s=60)
    assert await counters.count("a", window_s=60) == WindowCount(1, 60)


async def test_whoever_goes_away_holds_up_no_one(valkey: Redis, clock: ManualClock) -> None:
    counters = WindowCounters(valkey, clock=clock)
    gone = asyncio.create_task(counters.count("a", window_s=60))
    await asyncio.sleep(0)
    gone.cancel()
    async with asyncio.timeout(10):
        assert await counters.count("a", window_s=60) == WindowCount(2, 60)
        assert await counters.count("a", window_s=60) == WindowCount(3, 60)


async def test_a_dead_valkey_is_asked_again_after_a_while_only(
    valkey: Redis, clock: ManualClock
) -> None:
    dead = dead_valkey()
    counters = WindowCounters(dead, clock=clock)
    answers = await asyncio.gather(*(counters.count("a", window_s=60) for _ in range(5)))
    assert answers == [None] * 5
    dead.connection_pool = valkey.connection_pool  # it came back
    clock.advance(seconds=4)
    assert await counters.count("a", window_s=60) is None
    clock.advance(seconds=1)
    assert await counters.count("a", window_s=60) == WindowCount(1, 55)
