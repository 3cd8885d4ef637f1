"""Owns how the clockwork goes through what waits. Must never let one organization stop the others."""

from collections.abc import Awaitable, Callable, Iterable

import structlog

log = structlog.get_logger("saga.turns")


async def each(what: str, turns: Iterable[Callable[[], Awaitable[int]]]) -> int:
    """Take all turns, one after the other; one that fails is logged. Returns the sum of the others."""
    done = 0
    for turn in turns:
        try:
            done += await turn()
        except Exception:
            log.exception(f"{what}.failed")
    return done
