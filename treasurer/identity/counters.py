"""Owns counts within fixed windows of time, kept in Valkey. Must never stop work when that is down.

A window is a number in the key; the key's expiry only cleans up. Counts that are wanted while Valkey
answers others go in one command a name with the next round: a round trip costs as much as the rest
of a request's envelope.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from treasurer.kernel.clock import Clock, epoch_s

_RETRY_S = 5  # how long a failed Valkey is left alone, so that a dead one delays few requests

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WindowCount:
    """How many were counted in the present window, this one included, and when it ends."""

    count: int
    ends_in_s: int


@dataclass(frozen=True, slots=True)
class _Window:
    key: str
    expires_in_s: int


class WindowCounters:
    """Counts by name, shared by every process that uses the same Valkey."""

    def __init__(self, valkey: Redis, *, clock: Clock) -> None:
        self._valkey = valkey
        self._clock = clock
        self._silent_until_s = 0
        self._waiting: dict[_Window, list[asyncio.Future[int | None]]] = defaultdict(list)
        self._round: asyncio.Task[None] | None = None

    async def count(self, name: str, *, window_s: int) -> WindowCount | None:
        """Add one to `name`. None when Valkey is down: the caller goes on without the count."""
        now_s = epoch_s(self._clock())
        if now_s < self._silent_until_s:
            return None
        answer: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._waiting[_window(name, window_s, now_s)].append(answer)
        if self._round is None:
            self._round = asyncio.create_task(self._send())
        count = await answer
        return None if count is None else WindowCount(count, window_s - now_s % window_s)

    async def forget(self, name: str, *, window_s: int) -> None:
        """Take back what was counted under `name` in the present window."""
        now_s = epoch_s(self._clock())
        if now_s < self._silent_until_s:
            return
        try:
            await self._valkey.delete(_window(name, window_s, now_s).key)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)

    async def take_back(self, name: str, *, window_s: int) -> None:
        """Take one back of what was counted under `name` in the present window."""
        now_s = epoch_s(self._clock())
        if now_s < self._silent_until_s:
            return
        try:
            await self._add({_window(name, window_s, now_s): -1})
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)

    async def _send(self) -> None:
        """Send rounds until nobody waits; each takes all that came while the last was under way."""
        while self._waiting:
            waiting, self._waiting = self._waiting, defaultdict(list)
            totals: list[int] | None = None
            try:
                totals = await self._add({window: len(asked) for window, asked in waiting.items()})
            except Exception as error:  # whatever it is, those who wait must not wait for ever
                self._failed(error)
            for place, asked in enumerate(waiting.values()):
                for later, answer in enumerate(reversed(asked)):
                    if not answer.done():  # whoever asked may have gone away
                        answer.set_result(None if totals is None else totals[place] - later)
        self._round = None

    async def _add(self, counts: dict[_Window, int]) -> list[int]:
        """The counts of all windows after adding to each."""
        pipeline = self._valkey.pipeline(transaction=False)
        for window, count in counts.items():
            pipeline.incrby(window.key, count)
            pipeline.expire(window.key, window.expires_in_s)
        answers = await pipeline.execute()
        return [int(answer) for answer in answers[::2]]

    def _failed(self, error: Exception) -> None:
        self._silent_until_s = epoch_s(self._clock()) + _RETRY_S
        _log.warning("valkey_unavailable", error=str(error), retry_s=_RETRY_S)


def _window(name: str, window_s: int, now_s: int) -> _Window:
    return _Window(f"count:{name}:{now_s // window_s}", 2 * window_s)
