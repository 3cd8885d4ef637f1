"""Owns that each organization has its turn. Must never let one that breaks keep the others waiting."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVarTuple

import structlog

from treasurer.kernel.ids import OrganizationId

What = TypeVarTuple("What")
log = structlog.get_logger("turns")


async def each(
    name: str,
    waiting: Iterable[tuple[OrganizationId, *What]],
    turn: Callable[[OrganizationId, *What], Awaitable[int]],
) -> int:
    """Take the turn of each that waits, one after the other; returns the sum of what they did.

    One that breaks is logged by its organization, and has its next turn.
    """
    done = 0
    for one in waiting:
        try:
            done += await turn(*one)
        except Exception:
            log.exception(f"{name}.failed", organization_id=str(one[0]))
    return done
