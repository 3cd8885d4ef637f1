"""Calls that come together are one piece of work, and each is treated as if it had come alone."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treasurer.invoices.joining import Bounds, Joiner
from treasurer.kernel.errors import Conflict, Transient, TreasurerError
from treasurer.kernel.ids import OrganizationId

ONE, OTHER = OrganizationId(uuid4()), OrganizationId(uuid4())


class Desk:
    """Work that waits to be let through. Items in `bad` break it, those in `refused` get an error."""

    def __init__(self, *, bad: frozenset[int] = frozenset(), opened: bool = False) -> None:
        self.asked: list[tuple[OrganizationId, list[int]]] = []
        self.done: list[int] = []
        self.bad = bad
        self.refused: frozenset[int] = frozenset()
        self.error: Exception = ValueError("a statement failed")
        self.gate = asyncio.Event()
        if opened:
            self.gate.set()

    async def __call__(
        self, organization_id: OrganizationId, items: Sequence[int]
    ) -> list[str | TreasurerError]:
        self.asked.append((organization_id, list(items)))
        await self.gate.wait()
        if self.bad & set(items):
            raise self.error
        self.done += items
        return [Conflict("BUSY", "later") if i in self.refused else f"made {i}" for i in items]


def joiner(desk: Desk, bounds: Bounds | None = None) -> Joiner[int, str]:
    return Joiner(
        desk,
        bounds=bounds or Bounds(),
        nobodys_fault=lambda error: isinstance(error, ConnectionError),
    )


async def send(
    joined: Joiner[int, str], items: Sequence[int], organization_id: OrganizationId = ONE
) -> list[asyncio.Task[str]]:
    """One call each, all of them waiting when this returns."""
    calls = [asyncio.create_task(joined.call(organization_id, item, 10)) for item in items]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return calls


async def test_what_comes_while_others_are_at_work_is_one_group() -> None:
    desk = Desk()
    joined = joiner(desk)
    calls = await send(joined, [1])
    calls += await send(joined, [2, 3, 4])
    assert desk.asked == [(ONE, [1])]
    assert not any(call.done() for call in calls)  # nobody is answered before the work is done
    desk.gate.set()
    assert await asyncio.gather(*calls) == ["made 1", "made 2", "made 3", "made 4"]
    assert desk.asked == [(ONE, [1]), (ONE, [2, 3, 4])]


async def test_organizations_are_apart_and_take_turns() -> None:
    desk = Desk()
    joined = joiner(desk, Bounds(group_items=2))
    calls = await send(joined, [0])
    calls += await send(joined, [1, 2, 3, 4])
    calls += await send(joined, [7], OTHER)
    desk.gate.set()
    await asyncio.gather(*calls)
    assert desk.asked == [(ONE, [0]), (ONE, [1, 2]), (OTHER, [7]), (ONE, [3, 4])]


async def test_a_group_has_a_most_of_bytes() -> None:
    desk = Desk()
    joined = joiner(desk, Bounds(group_bytes=25))
    calls = await send(joined, [0, 1, 2])
    large = asyncio.create_task(joined.call(ONE, 3, 40))  # more than a group: it goes alone
    await asyncio.sleep(0)
    desk.gate.set()
    await asyncio.gather(*calls, large)
    assert [items for _, items in desk.asked] == [[0, 1], [2], [3]]


@pytest.mark.parametrize("bounds", [Bounds(waiting_items=3), Bounds(waiting_bytes=35)])
async def test_above_its_bounds_it_takes_no_more_until_some_are_done(bounds: Bounds) -> None:
    desk = Desk()
    joined = joiner(desk, bounds)
    calls = await send(joined, [1, 2, 3])
    with pytest.raises(Transient) as refused:
        await joined.call(ONE, 4, 10)
    assert (refused.value.code, refused.value.data) == ("INTAKE_FULL", {"retry_after_s": 1})
    desk.gate.set()
    await asyncio.gather(*calls)
    assert await joined.call(ONE, 4, 10) == "made 4"
    assert await joined.call(ONE, 5, 1000) == "made 5"  # alone, whatever its size
    assert 4 in desk.done


@given(
    st.integers(1, 12).flatmap(
        lambda count: st.tuples(st.just(count), st.frozensets(st.integers(0, count - 1)))
    )
)
def test_only_those_that_break_the_work_fail(case: tuple[int, frozenset[int]]) -> None:
    count, bad = case

    async def run() -> None:
        desk = Desk(bad=bad, opened=True)
        joined = joiner(desk)
        outcomes = await asyncio.gather(
            *(joined.call(ONE, item, 10) for item in range(count)), return_exceptions=True
        )
        for item, outcome in enumerate(outcomes):
            assert outcome is desk.error if item in bad else outcome == f"made {item}"
        assert desk.done == [item for item in range(count) if item not in bad]

    asyncio.run(run())


async def test_an_items_own_error_is_its_own() -> None:
    desk = Desk(opened=True)
    desk.refused = frozenset({2})
    outcomes = await asyncio.gather(
        *(joiner_call for joiner_call in await send(joiner(desk), [1, 2, 3])),
        return_exceptions=True,
    )
    assert outcomes[0::2] == ["made 1", "made 3"]
    assert isinstance(outcomes[1], Conflict)
    assert desk.done == [1, 2, 3]


async def test_what_is_nobodys_fault_is_not_tried_for_each() -> None:
    desk = Desk(bad=frozenset({2}), opened=True)
    desk.error = ConnectionError("no database")
    calls = await send(joiner(desk), [1, 2, 3])
    assert await asyncio.gather(*calls, return_exceptions=True) == [desk.error] * 3
    assert desk.asked == [(ONE, [1, 2, 3])]


async def test_a_caller_that_goes_away_withdraws_nothing() -> None:
    desk = Desk()
    joined = joiner(desk)
    calls = await send(joined, [1])
    calls += await send(joined, [2, 3])
    calls[0].cancel()
    calls[1].cancel()
    await asyncio.sleep(0)
    desk.gate.set()
    assert await calls[2] == "made 3"
    await joined.drain()
    assert desk.done == [1, 2, 3]
