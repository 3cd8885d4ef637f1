"""Owns that each organization has its turn. Must never let one that breaks keep the others waiting."""

from collections.abc import Awaitable, Callable, Iterable

import structlog

from treasurer.kernel.ids import OrganizationId

log = structlog.get_logger("worker.turns")


async def each(
    organizations: Iterable[OrganizationId],
    what: str,
    turn: Callable[[OrganizationId], Awaitable[int]],
) -> int:
    """Do `turn` for each; how much was done. What breaks is logged, and has its next turn."""
    done = 0
    for organization_id in organizations:
        try:
            done += await turn(organization_id)
        except Exception:
            log.exception(f"{what}.failed", organization_id=str(organization_id))
    return done
