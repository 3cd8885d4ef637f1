"""Owns the shape of time: an injected source of aware UTC instants. Must never read a clock itself."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Returns the present instant, timezone-aware and in UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND, _NO_OFFSET = timedelta(seconds=1), timedelta(0)


def require_utc(instant: datetime) -> datetime:
    """Return `instant` unchanged; raise ValueError unless it is aware and its offset is zero."""
    if instant.utcoffset() != _NO_OFFSET:
        raise ValueError(f"{instant!r} is not in UTC; convert at the edge where it entered")
    return instant


def epoch_s(instant: datetime) -> int:
    """Whole seconds since 1970-01-01T00:00Z, rounded down. Integer arithmetic, so it replays."""
    return (require_utc(instant) - _EPOCH) // _SECOND


def from_epoch_s(seconds: int) -> datetime:
    """The UTC instant `seconds` after 1970-01-01T00:00Z."""
    return _EPOCH + timedelta(seconds=seconds)


def iso(instant: datetime) -> str:
    """RFC 3339 with microseconds and `Z`: one spelling an instant, so that digests are stable."""
    # A fifth of strftime's time; what is cut off is the offset, which is +00:00.
    return require_utc(instant).isoformat(timespec="microseconds")[:-6] + "Z"


def parse_iso(text: str) -> datetime:
    """Inverse of `iso`; also takes RFC 3339 without fraction. Raises ValueError on anything else."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; append Z for UTC")
    return parsed.astimezone(UTC)
