"""Owns how well one provider answers, and which one is asked first. Pure. Must never decide what is true.

Times are nanoseconds of a clock that only moves forward.
"""

from dataclasses import dataclass, replace

_SECOND_NS = 10**9
FAILURES_BEFORE_REST = 3
LONGEST_REST_S = 10
BLOCKS_BEHIND = 8
"""A head that far below another provider's is stale; less is the ordinary spread of news."""


@dataclass(frozen=True, slots=True)
class Health:
    """A provider's record. `latency_ns` is smoothed; `head_since_ns` is when `head` last rose."""

    consecutive_failures: int = 0
    resting_until_ns: int = 0
    latency_ns: int = 0
    head: int = 0
    head_since_ns: int = 0

    def answered(self, took_ns: int) -> "Health":
        """After a usable answer."""
        smoothed = (7 * self.latency_ns + took_ns) // 8 if self.latency_ns else took_ns
        return replace(self, consecutive_failures=0, resting_until_ns=0, latency_ns=smoothed)

    def failed(self, now_ns: int, *, retry_after_s: int = 0) -> "Health":
        """After a time-out, a broken connection or an unusable answer: from the third on it rests, twice
        as long each time; at once where it asked to be left alone.
        """
        failures = self.consecutive_failures + 1
        doublings = min(failures - FAILURES_BEFORE_REST, 10)
        rest_s = min(2**doublings, LONGEST_REST_S) if doublings >= 0 else 0
        until_ns = now_ns + max(rest_s, retry_after_s) * _SECOND_NS
        return replace(self, consecutive_failures=failures, resting_until_ns=until_ns)

    def saw_head(self, number: int, now_ns: int) -> "Health":
        """After it named its latest block."""
        if number <= self.head and self.head_since_ns:
            return self
        return replace(self, head=number, head_since_ns=now_ns)

    def head_age_s(self, now_ns: int) -> int:
        """Seconds since its head last rose, as far as it was asked."""
        return (now_ns - self.head_since_ns) // _SECOND_NS

    def rank(self, now_ns: int, *, best_head: int) -> tuple[bool, bool, bool, int]:
        """The lower, the sooner it is asked. Equal ranks keep the operator's order."""
        return (
            now_ns < self.resting_until_ns,
            best_head - self.head > BLOCKS_BEHIND,
            self.consecutive_failures > 0,
            # Only a latency of twice the other's counts, so that noise changes nothing.
            self.latency_ns.bit_length(),
        )
