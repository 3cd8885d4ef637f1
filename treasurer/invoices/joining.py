"""Owns how calls that come at the same time are joined into one piece of work, each organization's apart.

Must never answer a call before its work is done, nor let one call's fault reach its neighbours. What
is taken in is done, even when its caller has gone away meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, TypeVar

from treasurer.kernel.errors import Transient, TreasurerError
from treasurer.kernel.ids import OrganizationId

Item = TypeVar("Item")
Result = TypeVar("Result")

Work = Callable[[OrganizationId, Sequence[Item]], Awaitable[Sequence[Result | TreasurerError]]]
"""Does all items of one organization, or raises and has done none. An error that it returns is that
item's own outcome; one that it raises may be any item's fault.
"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is joined, and how much may wait. Those at work count as waiting until they end."""

    group_items: int = 64
    group_bytes: int = 16 * 2**20
    groups: int = 1
    waiting_items: int = 2048
    waiting_bytes: int = 128 * 2**20


@dataclass(frozen=True, slots=True)
class _Call(Generic[Item, Result]):
    item: Item
    size: int
    answer: asyncio.Future[Result]


class Joiner(Generic[Item, Result]):
    """At most `bounds.groups` groups are at work; what comes meanwhile makes the next one.

    Organizations take turns, so a busy one holds up another by a group, not by its queue. Within an
    organization calls are served in the order in which they came.
    """

    def __init__(
        self,
        work: Work[Item, Result],
        *,
        bounds: Bounds,
        nobodys_fault: Callable[[Exception], bool],
    ) -> None:
        """`nobodys_fault` tells of an error that every item would meet: each gets it at once."""
        self._work = work
        self._bounds = bounds
        self._nobodys_fault = nobodys_fault
        self._waiting: dict[OrganizationId, deque[_Call[Item, Result]]] = {}
        self._items = 0
        self._bytes = 0
        self._at_work: set[asyncio.Task[None]] = set()

    async def call(self, organization_id: OrganizationId, item: Item, size: int) -> Result:
        """The item's result. Raises its own error, or Transient INTAKE_FULL when too much waits.

        `size` in bytes. A caller that is cancelled withdraws nothing.
        """
        bounds = self._bounds
        if self._items and (
            self._items >= bounds.waiting_items or self._bytes + size > bounds.waiting_bytes
        ):
            raise Transient(
                "INTAKE_FULL",
                "more arrives than can be stored at once; send it again in a moment",
                retry_after_s=1,
            )
        call: _Call[Item, Result] = _Call(item, size, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(organization_id, deque()).append(call)
        self._items += 1
        self._bytes += size
        if len(self._at_work) < bounds.groups:
            # Of no caller's context: what is logged there speaks of no single request.
            task = asyncio.create_task(self._run(), context=Context())
            self._at_work.add(task)
        return await call.answer

    async def drain(self) -> None:
        """Return when everything that was taken in is done."""
        while self._at_work:
            await asyncio.wait(self._at_work)

    async def _run(self) -> None:
        try:
            while self._waiting:
                organization_id, group = self._next_group()
                await self._serve(organization_id, group)
                self._items -= len(group)
                self._bytes -= sum(call.size for call in group)
        finally:
            task = asyncio.current_task()
            assert task is not None
            self._at_work.discard(task)

    def _next_group(self) -> tuple[OrganizationId, list[_Call[Item, Result]]]:
        """The organization whose turn it is, and as many of its calls as make a group."""
        organization_id = next(iter(self._waiting))
        calls = self._waiting.pop(organization_id)
        group = [calls.popleft()]
        size = group[0].size
        while (
            calls
            and len(group) < self._bounds.group_items
            and size + calls[0].size <= self._bounds.group_bytes
        ):
            size += calls[0].size
            group.append(calls.popleft())
        if calls:
            self._waiting[organization_id] = calls  # at the end of the turns
        return organization_id, group

    async def _serve(
        self, organization_id: OrganizationId, group: list[_Call[Item, Result]]
    ) -> None:
        try:
            outcomes = await self._work(organization_id, [call.item for call in group])
            answers = list(zip(group, outcomes, strict=True))
        except Exception as error:
            if len(group) == 1 or self._nobodys_fault(error):
                for call in group:
                    _answer(call.answer, error)
                return
            for call in group:
                await self._serve(organization_id, [call])
            return
        for call, outcome in answers:
            _answer(call.answer, outcome)


def _answer(answer: asyncio.Future[Result], outcome: Result | Exception) -> None:
    if answer.done():  # its caller has gone away
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
