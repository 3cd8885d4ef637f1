"""Owns counts within fixed windows of time, kept in Valkey. Must never stop work when that is down.

A window is a number in the key, so that counting is one command; the key's expiry only cleans up.
"""

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


class WindowCounters:
    """Counts by name, shared by every process that uses the same Valkey."""

    def __init__(self, valkey: Redis, *, clock: Clock) -> None:
        self._valkey = valkey
        self._clock = clock
        self._silent_until_s = 0

    async def count(self, name: str, *, window_s: int) -> WindowCount | None:
        """Add one to `name`. None when Valkey is down: the caller goes on without the count."""
        now_s = epoch_s(self._clock())
        if now_s < self._silent_until_s:
            return None
        key = f"count:{name}:{now_s // window_s}"
        try:
            count = int(await self._valkey.incr(key))
            if count == 1:
                await self._valkey.expire(key, 2 * window_s)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(now_s, error)
            return None
        return WindowCount(count, window_s - now_s % window_s)

    async def forget(self, name: str, *, window_s: int) -> None:
        """Take back what was counted under `name` in the present window."""
        now_s = epoch_s(self._clock())
        if now_s < self._silent_until_s:
            return
        try:
            await self._valkey.delete(f"count:{name}:{now_s // window_s}")
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(now_s, error)

    def _failed(self, now_s: int, error: Exception) -> None:
        self._silent_until_s = now_s + _RETRY_S
        _log.warning("valkey_unavailable", error=str(error), retry_s=_RETRY_S)
