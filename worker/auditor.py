"""Owns when organizations are reconciled: once a night, by one of the workers. Must never judge.

The turn is a row in the database, so any number of workers may hold the same schedule.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import text

from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.ids import OrganizationId

if TYPE_CHECKING:
    from treasurer.audit.reconciliation.service import Reconciliation

LOOK_EVERY_S = 60
_ORGANIZATIONS = text("SELECT id FROM organizations ORDER BY id")

log = structlog.get_logger("worker.auditor")


@dataclass(frozen=True, slots=True)
class Nightly:
    """Once a day at a full hour, UTC."""

    hour: int

    def last_before(self, now: datetime) -> datetime:
        """The youngest turn that is not later than `now`."""
        today = now.replace(hour=self.hour, minute=0, second=0, microsecond=0)
        return today if today <= now else today - timedelta(days=1)


async def reconcile_due(
    database: Database, reconciliation: "Reconciliation", since: datetime
) -> int:
    """Reconcile every organization that was not since `since`; return how many were."""
    async with database.claims() as connection:
        organizations = [OrganizationId(row[0]) for row in await connection.execute(_ORGANIZATIONS)]
    made = 0
    for organization_id in organizations:
        try:
            report = await reconciliation.run_if_due(organization_id, since)
        except Exception:
            # The others have their turn; this one is taken over when its turn counts as abandoned.
            log.exception("reconcile.failed", organization_id=str(organization_id))
            continue
        if report is not None:
            made += 1
            log.info(
                "reconciled",
                organization_id=str(organization_id),
                clean=report.clean,
                violations=report.violations,
            )
    return made


async def reconcile_nightly(
    database: Database,
    opened: "Callable[[], Reconciliation]",
    schedule: Nightly,
    clock: Clock,
    stop: asyncio.Event,
) -> None:
    """Look every minute until `stop`; one that is under way then is dropped, it changes nothing.

    `opened` loads the checks, in a thread: a worker is at work before it is its own auditor.
    """
    reconciliation = await asyncio.to_thread(opened)
    stopped = asyncio.create_task(stop.wait())
    while not stop.is_set():
        work = asyncio.create_task(
            reconcile_due(database, reconciliation, schedule.last_before(clock()))
        )
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
        await asyncio.wait({work})
        if not work.cancelled() and (error := work.exception()):
            log.error("reconcile.failed", reason=str(error))
        await asyncio.wait({stopped}, timeout=LOOK_EVERY_S)
    stopped.cancel()
