"""A clock that tests move by hand."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class ManualClock:
    """Returns the same instant until it is advanced."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, *, seconds: float = 0, hours: float = 0, days: float = 0) -> None:
        self.now += timedelta(seconds=seconds, hours=hours, days=days)
