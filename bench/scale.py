"""Owns what a payment costs beside many settled ones: statements and time, at two sizes, in one run.

Must never compare databases on different servers or times: both stand in one server, and rounds are
interleaved. Chain and signer are in memory, as for payments.
"""

import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from bench.copies import multiply
from bench.disks import Servers
from bench.payments import WAVE, PaymentsBench
from treasurer.audit.service import AuditService
from treasurer.db.engine import conninfo
from treasurer.kernel.ids import PaymentId
from treasurer.payments.service import PaymentService

PAGE = 50
_MIDDLE = text("""
    SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY id) FROM payments
    WHERE organization_id = :organization_id
""")


@dataclass(frozen=True, slots=True)
class ScaleSize:
    """How many settled payments each database has, in waves, and how much a round measures."""

    few: int
    many: int
    rounds: int
    payments: int
    reads: int


@dataclass(slots=True)
class _Measured:
    """Each list has a figure a time; those of the two databases were taken in turn."""

    wave_ms: list[float] = field(default_factory=list)
    payment_ms: list[float] = field(default_factory=list)
    page_ms: list[float] = field(default_factory=list)
    get_ms: list[float] = field(default_factory=list)
    statements: list[int] = field(default_factory=list)


async def measure(servers: Servers, size: ScaleSize) -> dict[str, float]:
    """Figures by name; those with a target name it."""
    few, many = _Measured(), _Measured()
    grown = [
        (await _Grown.open(servers, "few", size.few), few),
        (await _Grown.open(servers, "many", size.many), many),
    ]
    for number in range(1, size.rounds + 1):
        for each, found in grown:
            found.wave_ms.append(await each.wave())
        for _ in range(size.payments):
            for each, found in grown:
                await each.bench.reserve_one()
                with _counted(found.statements):
                    found.payment_ms.append(1000 * await each.bench.settle())
        for _ in range(size.reads):
            for each, found in grown:
                found.page_ms.append(await _ms(each.page))
                found.get_ms.append(await _ms(each.get))
        _say(
            f"round {number}: {few.wave_ms[-1]:.2f} and {many.wave_ms[-1]:.2f} ms a payment in"
            f" waves, {few.payment_ms[-1]:.1f} and {many.payment_ms[-1]:.1f} ms alone"
        )
    for each, _ in grown:
        await each.bench.close()
    return _figures((few, many), size)


class _Grown:
    """A bench whose database holds many settled payments, and the oldest half of them to read."""

    def __init__(self, bench: PaymentsBench, middle: PaymentId) -> None:
        context = bench.context
        self._payments = PaymentService(
            database=context.database,
            rail=context.rail,
            prices=context.prices,
            policies=context.policies,
            approvals=context.approvals,
            outcomes=context.outcomes,
            clock=context.clock,
            new_id=context.new_id,
        )
        self._reader = bench.organizations[0].clerk.principal
        self._middle = middle
        self.bench = bench

    @classmethod
    async def open(cls, servers: Servers, name: str, waves: int) -> "_Grown":
        bench = PaymentsBench(servers.migrated(name))
        await bench.set_up()
        await bench.round(WAVE)
        audit = AuditService(bench.database)
        for organization in bench.organizations:
            await audit.seal(organization.id)
        started = time.perf_counter()
        multiply(conninfo(servers.superuser.set(database=name)), waves - 1)
        await bench.round(1)
        _say(f"{waves * WAVE:,} settled payments after {time.perf_counter() - started:.0f} s")
        async with bench.database.unit(bench.organizations[0].id) as connection:
            rows = await connection.execute(_MIDDLE, {"organization_id": bench.organizations[0].id})
            return cls(bench, rows.scalar_one())

    async def page(self) -> None:
        """A page from the middle of the history."""
        found = await self._payments.page(self._reader, before=self._middle, most=PAGE)
        if len(found) != PAGE:
            raise RuntimeError(f"a page of {len(found)} payments")

    async def get(self) -> None:
        await self._payments.get(self._reader, self._middle)

    async def wave(self) -> float:
        """Milliseconds a payment where the pump advances whole sets."""
        return 1000 / (await self.bench.round(1)).settled


async def _ms(read: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await read()
    return (time.perf_counter() - started) * 1000


@contextmanager
def _counted(into: list[int]) -> Iterator[None]:
    """Append how many statements the database was sent meanwhile."""
    count = 0

    def add(*_: object) -> None:
        nonlocal count
        count += 1

    event.listen(Engine, "before_cursor_execute", add)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", add)
    into.append(count)


def _figures(measured: tuple[_Measured, _Measured], size: ScaleSize) -> dict[str, float]:
    few, many = measured
    names = f"{size.few * WAVE:,}", f"{size.many * WAVE:,}"
    figures: dict[str, float] = {}
    for name, found in zip(names, measured, strict=True):
        figures |= {
            f"statements a payment, least, beside {name}": min(found.statements),
            f"statements a payment, most, beside {name}": max(found.statements),
            f"ms a payment in waves, beside {name}": statistics.median(found.wave_ms),
            f"ms a payment alone, beside {name}": statistics.median(found.payment_ms),
        }
    return figures | {
        "statements a payment, many over few (target ≤ 1)": max(many.statements)
        / max(few.statements),
        "ms a payment in waves, many over few (target ≤ 1.5)": _ratio(many.wave_ms, few.wave_ms),
        "ms a payment alone, many over few (target ≤ 1.5)": _ratio(many.payment_ms, few.payment_ms),
        f"page of {PAGE} payments, many over few (target ≤ 1.5)": _ratio(many.page_ms, few.page_ms),
        "payment by id, many over few (target ≤ 1.5)": _ratio(many.get_ms, few.get_ms),
    }


def _ratio(many: list[float], few: list[float]) -> float:
    """Of the medians: single times scatter far more than they differ."""
    return statistics.median(many) / statistics.median(few)


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
