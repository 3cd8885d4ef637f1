"""Owns when the next request to one provider may leave. Must never drop or repeat a request.

Two limits: the cap that the network's profile sets, and the time for which the provider asked us to
stay away. Whoever comes in that time is told so at once and may ask another provider.
"""

import time
from collections.abc import Callable

MOST_RETRY_AFTER_S = 60
"""A provider that names a longer time is asked again sooner: it may not silence us for a day."""
_SECOND_NS = 10**9


def retry_after_s(header: str) -> int:
    """Seconds of a `Retry-After` header (RFC 9110, 10.2.3), 1 where it is missing or a date."""
    if header.isascii() and header.isdigit():
        return max(1, min(int(header[:9]), MOST_RETRY_AFTER_S))
    return 1


class RequestPace:
    """At most `calls_per_second` on average, a second's worth at once; None sets no cap."""

    def __init__(
        self, calls_per_second: int | None, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._each_ns = _SECOND_NS // calls_per_second if calls_per_second else 0
        self._now_ns = now_ns
        self._paid_until_ns = 0
        self._closed_until_ns = 0

    def take(self, calls: int) -> int:
        """Count `calls` as made; nanoseconds to wait before they leave."""
        now = self._now_ns()
        wait_ns = max(0, self._paid_until_ns - now - _SECOND_NS) if self._each_ns else 0
        self._paid_until_ns = max(self._paid_until_ns, now) + calls * self._each_ns
        return wait_ns

    def close_for(self, seconds: int) -> None:
        """The provider wants to be left alone so long."""
        self._closed_until_ns = max(self._closed_until_ns, self._now_ns() + seconds * _SECOND_NS)

    def closed_s(self) -> int:
        """Whole seconds, rounded up, until it may be asked again; 0 when it may."""
        return max(0, -((self._now_ns() - self._closed_until_ns) // _SECOND_NS))
