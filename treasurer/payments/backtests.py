"""Owns replaying an organization's stored decisions under another policy set, and the report of it.

Must never write but the report: nothing about a payment changes by asking what would have been.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from policy.backtest import Fate, Replay, Replayed, fate_of
from policy.decision import Outcome
from policy.facts import facts_from_json
from policy.policy_set import PolicySet
from policy.request import request_from_json
from policy.scopes import LONGEST
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock, iso
from treasurer.kernel.digest import Canonical, canonical_json, digest
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import OrganizationId, PolicySetId
from treasurer.kernel.organization import Permission, Principal
from treasurer.payments.facts import local_time
from treasurer.policies.life import PolicyLife

_A_PAGE = 2_000
_MOST_CHANGES = 200
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# Decisions carry uuid7 ids, so that their order is that of time; the page starts after an id.
_PAGE = text("""
    SELECT d.id, d.stage, d.outcome, d.request, d.facts, d.decided_at,
        d.decision LIKE :retriable AS retriable, p.state
    FROM decisions d
    LEFT JOIN payments p ON p.organization_id = d.organization_id AND p.id = d.payment_id
    WHERE d.organization_id = :organization_id AND d.id > :after ORDER BY d.id LIMIT :most
""")
# The first key of canonical JSON that may say it is `retriable` of the decision itself, its last.
_RETRIABLE = b'%"retriable":true}'
_WENT_OUT = ("executing", "settled", "needs_attention")


@dataclass(frozen=True, slots=True)
class Change:
    """One payment whose fate would be another."""

    payment_id: str
    payee_id: str
    amount_minor: int
    before: Fate
    after: Fate
    rules: str

    def document(self) -> Canonical:
        return {
            "payment_id": self.payment_id,
            "payee_id": self.payee_id,
            "amount_minor": str(self.amount_minor),
            "before": self.before.value,
            "after": self.after.value,
            "rules": self.rules,
        }


@dataclass(slots=True)
class Report:
    """The blast radius: each payment once, by its last decision. Sums in the reporting currency.

    `changes` name the newest payments whose fate would be another, at most 200 of them.
    """

    policy_set: PolicySet
    since: datetime
    until: datetime
    decisions: int = 0
    payments: dict[str, Change] = field(default_factory=dict)

    @property
    def changes(self) -> list[Change]:
        changed = [one for one in self.payments.values() if one.before is not one.after]
        return changed[-_MOST_CHANGES:][::-1]

    def totals(self) -> dict[tuple[Fate, Fate], tuple[int, int]]:
        """Payments and their sum by what became of them and what would now."""
        counts: Counter[tuple[Fate, Fate]] = Counter()
        sums: Counter[tuple[Fate, Fate]] = Counter()
        for one in self.payments.values():
            counts[one.before, one.after] += 1
            sums[one.before, one.after] += one.amount_minor
        return {key: (counts[key], sums[key]) for key in sorted(counts)}

    def document(self) -> dict[str, Canonical]:
        """What is stored, digested and printed."""
        return {
            "policy_digest": self.policy_set.digest.hex(),
            "reporting_currency": self.policy_set.reporting.symbol,
            "reporting_decimals": self.policy_set.reporting.decimals,
            "since": iso(self.since),
            "until": iso(self.until),
            "decisions": self.decisions,
            "payments": len(self.payments),
            "totals": [
                {
                    "before": before.value,
                    "after": after.value,
                    "payments": count,
                    "sum_minor": str(minor),
                }
                for (before, after), (count, minor) in self.totals().items()
            ],
            "changes": [one.document() for one in self.changes],
        }

    def to_json(self) -> bytes:
        """Canonical JSON; its SHA-256 is the backtest's digest."""
        return canonical_json(self.document())


@dataclass(frozen=True, slots=True)
class Backtest:
    """A report with its digest, and the draft that it was kept for, if there is one of that policy."""

    report: Report
    digest: bytes
    kept_for: PolicySetId | None


class BacktestService:
    """Runs backtests page by page, the replay in a thread, so that a server goes on serving."""

    def __init__(self, *, database: Database, life: PolicyLife, clock: Clock) -> None:
        self._database = database
        self._life = life
        self._clock = clock

    async def run(
        self,
        principal: Principal,
        policy_set: PolicySet,
        since: datetime,
        policy_set_id: PolicySetId | None = None,
    ) -> Backtest:
        """Replay all decisions since `since`; keep the report if the policy is a stored draft, of several
        alike for the one that is named, else for the newest.

        Payments that went out within the longest window before count in the sums. What is decided
        while it runs is left out.
        """
        principal.require(Permission.POLICY_WRITE)
        if since < _EARLIEST:
            raise InvalidInput(
                "BACKTEST_SINCE", f"nothing was decided before {_EARLIEST:%Y}; write a later day"
            )
        report = Report(policy_set, since, self._clock())
        replay = Replay(policy_set, since, local_time)
        rows = await self._page(principal.organization_id, _first_id(since - LONGEST))
        while rows:
            # The next page is read while this one is replayed.
            _, rows = await asyncio.gather(
                asyncio.to_thread(_replay, replay, report, rows),
                self._page(principal.organization_id, rows[-1].id),
            )
        content = report.to_json()
        kept = await self._life.simulated(principal, policy_set.digest, content, policy_set_id)
        return Backtest(report, digest(content), None if kept is None else kept.id)

    async def _page(self, organization_id: OrganizationId, after: UUID) -> list["_Row"]:
        async with self._database.unit(organization_id) as connection:
            return await _page(connection, organization_id, after)


@dataclass(frozen=True, slots=True)
class _Row:
    id: UUID
    binding: bool
    outcome: str
    retriable: bool
    request: bytes
    facts: bytes
    decided_at: datetime
    went_out: bool


async def _page(
    connection: AsyncConnection, organization_id: OrganizationId, after: UUID
) -> list[_Row]:
    rows = await connection.execute(
        _PAGE,
        {
            "organization_id": organization_id,
            "after": after,
            "most": _A_PAGE,
            "retriable": _RETRIABLE,
        },
    )
    return [
        _Row(
            row.id,
            row.stage == "reserve",
            row.outcome,
            bool(row.retriable),
            bytes(row.request),
            bytes(row.facts),
            row.decided_at,
            row.state in _WENT_OUT,
        )
        for row in rows
    ]


def _replay(replay: Replay, report: Report, rows: Sequence[_Row]) -> None:
    for row in rows:
        if row.decided_at >= report.until:
            continue
        before = fate_of(Outcome[row.outcome], row.retriable)
        past = Replayed(
            request_from_json(row.request), facts_from_json(row.facts), before, row.binding
        )
        if row.decided_at < report.since:
            if row.binding and row.went_out and before is not Fate.DENIED:
                replay.remember(past)
            continue
        after, rules = replay.decide(past)
        report.decisions += 1
        request = past.request
        # Taken out first, so that the order is that of the last decisions.
        report.payments.pop(request.payment_id, None)
        report.payments[request.payment_id] = Change(
            request.payment_id,
            request.payee_id,
            request.reporting_amount_minor,
            before,
            after,
            rules,
        )


def _first_id(since: datetime) -> UUID:
    """The smallest uuid7 of that millisecond (RFC 9562): its first 48 bits are the time."""
    milliseconds = int(since.timestamp() * 1000)
    return UUID(int=milliseconds << 80)
