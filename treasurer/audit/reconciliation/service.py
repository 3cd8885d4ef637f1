"""Owns the reconciliation of one organization, on demand and in its turn. Must never repair anything.

A check that cannot be made (a node without old balances, a database that is away) is reported as
failed, so that "clean" always means: all of them were made.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy import text

from treasurer.audit import store as events
from treasurer.audit.model import AuditEvent
from treasurer.audit.reconciliation import store
from treasurer.audit.reconciliation.examination import Examination
from treasurer.audit.reconciliation.model import (
    MOST_KEPT,
    Check,
    InFlight,
    Report,
    Result,
    Violation,
)
from treasurer.audit.reconciliation.registry import EXAMINATIONS, UNCHECKED
from treasurer.audit.reconciliation.scene import Network, Scene
from treasurer.audit.reconciliation.store import StoredReport
from treasurer.audit.service import AuditService
from treasurer.chain.port import Chain
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import Permanent, Transient
from treasurer.kernel.ids import NewId, OrganizationId, UserId

_ADDRESSES = text("""
    SELECT address FROM wallets
    WHERE organization_id = :organization_id AND chain_id = :chain_id ORDER BY address
""")
_FOLLOWED = text("""
    SELECT final_number FROM index_cursors
    WHERE organization_id = :organization_id AND chain_id = :chain_id
""")
_VIOLATIONS = Counter(
    "treasurer_audit_violations_total", "Violations found by reconciliations.", ("check",)
)
_RUNS = Counter("treasurer_audit_reconciliations_total", "Reconciliations.", ("result",))

Progress = Callable[[Result], None]
log = structlog.get_logger("audit.reconciliation")


def _silent(_: Result) -> None:
    """Nobody watches."""


class Reconciliation:
    """Reads database and chain of one network; any organization's."""

    def __init__(
        self,
        *,
        database: Database,
        chain: Chain,
        network: Network,
        audit: AuditService,
        clock: Clock,
        new_id: NewId,
        examinations: Sequence[Examination] = EXAMINATIONS,
    ) -> None:
        self._database = database
        self._chain = chain
        self._network = network
        self._audit = audit
        self._clock = clock
        self._new_id = new_id
        self._examinations = examinations

    async def examine(
        self, organization_id: OrganizationId, progress: Progress = _silent
    ) -> Report:
        """Make all checks and write nothing. Raises Transient if the node does not answer at all."""
        started_at = self._clock()
        scene = await self._scene(organization_id, started_at)
        results: list[Result] = []
        in_flight: list[InFlight] = []
        for examination in self._examinations:
            made = await _examined(examination, scene, in_flight)
            for result in made:
                progress(result)
            results += made
        return Report(
            started_at=started_at,
            finished_at=self._clock(),
            block_number=scene.block.number,
            results=tuple(results),
            in_flight=tuple(in_flight[:MOST_KEPT]),
            unchecked=UNCHECKED,
        )

    async def run(
        self,
        organization_id: OrganizationId,
        *,
        actor: UserId | None = None,
        progress: Progress = _silent,
        turn: UUID | None = None,
    ) -> Report:
        """`examine`, then store the report, record it, count it, and log every violation."""
        await self._audit.seal(organization_id)
        report = await self.examine(organization_id, progress)
        id_ = turn or self._new_id()
        async with self._database.unit(organization_id) as connection:
            await store.finish(connection, organization_id, id_, report)
            await events.append(
                connection,
                organization_id,
                [_event(id_, report, actor)],
                now=report.finished_at,
                new_id=self._new_id,
            )
        _publish(organization_id, report)
        return report

    async def run_if_due(self, organization_id: OrganizationId, since: datetime) -> Report | None:
        """`run`, unless one began since `since` or another worker is at it now."""
        id_ = self._new_id()
        async with self._database.unit(organization_id) as connection:
            if not await store.begin(
                connection, organization_id, id_, now=self._clock(), since=since
            ):
                return None
        return await self.run(organization_id, turn=id_)

    async def _scene(self, organization_id: OrganizationId, now: datetime) -> Scene:
        block = await self._chain.finalized()
        scope = {"organization_id": organization_id, "chain_id": self._network.chain_id}
        async with self._database.unit(organization_id) as connection:
            rows = await connection.execute(_ADDRESSES, scope)
            addresses = [str(row[0]) for row in rows]
            followed = (await connection.execute(_FOLLOWED, scope)).scalar_one_or_none()
        if followed is not None and followed < block.number:
            # What came in later is not booked yet, and cannot be expected to be.
            block = await self._chain.block(followed) or block
        return Scene(
            organization_id=organization_id,
            database=self._database,
            chain=self._chain,
            network=self._network,
            audit=self._audit,
            block=block,
            nonces={
                address: await self._chain.nonce(address, block.number) for address in addresses
            },
            now=now,
        )


async def last_report(database: Database, organization_id: OrganizationId) -> StoredReport | None:
    """The newest finished reconciliation of the organization; None before the first."""
    async with database.unit(organization_id) as connection:
        return await store.last(connection, organization_id)


async def _examined(
    examination: Examination, scene: Scene, in_flight: list[InFlight]
) -> list[Result]:
    kept: dict[str, list[Violation]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    failed: str | None = None
    try:
        async for found in examination.find(scene):
            if isinstance(found, InFlight):
                in_flight.append(found)
                continue
            counts[found.check] += 1
            if len(kept[found.check]) < MOST_KEPT:
                kept[found.check].append(found)
    except (Transient, Permanent) as error:
        failed = str(error)
    return [_result(check, counts, kept, failed) for check in examination.checks]


def _result(
    check: Check, counts: dict[str, int], kept: dict[str, list[Violation]], failed: str | None
) -> Result:
    return Result(check, counts[check.id], tuple(kept[check.id]), failed)


def _event(id_: UUID, report: Report, actor: UserId | None) -> AuditEvent:
    return AuditEvent(
        "reconciliation",
        id_,
        "audit.reconciled",
        {
            "block_number": report.block_number,
            "clean": report.clean,
            "checks": len(report.results),
            "failed": report.failed,
            "violations": {
                result.check.id: result.count for result in report.results if result.count
            },
        },
        actor,
    )


def _publish(organization_id: OrganizationId, report: Report) -> None:
    _RUNS.labels("clean" if report.clean else "violations" if report.violations else "failed").inc()
    for result in report.results:
        if result.count:
            _VIOLATIONS.labels(result.check.id).inc(result.count)
        if result.failed is not None:
            log.error("audit.check_failed", check=result.check.id, reason=result.failed)
        for violation in result.violations:
            log.error(
                "audit.violation",
                organization_id=str(organization_id),
                check=violation.check,
                code=violation.code,
                about=dict(violation.about),
                numbers=dict(violation.numbers),
            )
