"""Owns the time of a backtest: stored decisions replayed under the sample with every dimension.

Must never measure less than what a person waits for: rows are read, parsed, decided, their windows
simulated and the report made and digested, in one process. Decisions are made up; their facts are
those that a decision stores.
"""

import asyncio
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import psycopg
from uuid_utils.compat import uuid7

from bench.disks import Disk, serve
from policy.background import HistoryFact, LocalTimeFact, NetworkFact, SanctionsFact
from policy.facts import Facts, PayeeFact, PriceFact, RunwayFact, WindowFact
from policy.policy_set import load_policy_set
from policy.request import PaymentRequest
from treasurer.bootstrap import utc_now
from treasurer.db.engine import DatabaseUrls, conninfo, open_database
from treasurer.kernel.ids import OrganizationId, UserId
from treasurer.kernel.organization import Principal, PrincipalKind, Role
from treasurer.payments.backtests import BacktestService, Report
from treasurer.policies.life import PolicyLife
from treasurer.policies.service import PolicyService

DECISIONS = 100_000
TARGET_S = 60
_POLICY = Path(__file__).parents[1] / "samples/policies/every-dimension.yaml"
_BEGAN = datetime(2026, 10, 1, tzinfo=UTC)
_COPY = """COPY decisions (organization_id, id, payment_id, stage, outcome, policy_digest, request,
    facts, facts_digest, decision, decided_at) FROM STDIN"""


def run(decisions: int = DECISIONS) -> dict[str, float]:
    """Store decisions, replay them; seconds and decisions a second."""
    with serve(Disk("fast disk", {})) as servers:
        urls = servers.migrated("backtest")
        organization_id = OrganizationId(uuid7())
        _store(urls, organization_id, decisions)
        seconds, processor_s, report = asyncio.run(_replay(urls, organization_id))
    if report.decisions != decisions:
        raise ValueError(f"{report.decisions} of {decisions} decisions were replayed")
    fates = ", ".join(f"{b} → {a}: {n}" for (b, a), (n, _) in report.totals().items())
    print(f"{decisions:,} decisions in {seconds:.1f} s ({fates}), target {TARGET_S} s")
    print(f"of which this process worked {processor_s:.1f} s; the rest is the database and others")
    return {
        "seconds": seconds,
        "seconds of our processor": processor_s,
        "decisions/s": decisions / seconds,
    }


async def _replay(
    urls: DatabaseUrls, organization_id: OrganizationId
) -> tuple[float, float, Report]:
    database = open_database(urls, pool_size=2)
    policies = PolicyService(database=database, clock=utc_now, new_id=uuid7)
    life = PolicyLife(database=database, policies=policies, clock=utc_now, new_id=uuid7)
    service = BacktestService(
        database=database, life=life, clock=lambda: _BEGAN + timedelta(days=400)
    )
    cfo = Principal(organization_id, UserId(uuid7()), PrincipalKind.HUMAN, frozenset({Role.CFO}))
    policy_set = load_policy_set(_POLICY.read_text(encoding="utf-8"))
    started, worked = time.perf_counter(), time.process_time()
    found = await service.run(cfo, policy_set, _BEGAN)
    seconds, processor_s = time.perf_counter() - started, time.process_time() - worked
    await database.close()
    return seconds, processor_s, found.report


def _store(urls: DatabaseUrls, organization_id: OrganizationId, decisions: int) -> None:
    """Two decisions a payment, one a minute apart, in the order of their ids."""
    random = Random(1)
    with psycopg.connect(conninfo(urls.app)) as connection:
        connection.execute("SELECT set_config('app.org', %s, true)", [str(organization_id)])
        # Row-level security and COPY do not go together, so rows arrive in a table of the session.
        connection.execute("CREATE TEMPORARY TABLE arrived (LIKE decisions)")
        with connection.cursor().copy(_COPY.replace("decisions", "arrived")) as copy:
            for number in range(decisions):
                copy.write_row(_row(organization_id, number, random))
        connection.execute("INSERT INTO decisions SELECT * FROM arrived")


def _row(organization_id: OrganizationId, number: int, random: Random) -> tuple[object, ...]:
    now = _BEGAN + timedelta(minutes=number // 2)
    payment = f"00000000-0000-7000-8000-{number // 2:012d}"
    request = _request(payment, random.randint(1_000, 300_000), number // 2 % 40, now)
    facts = _facts(random, now)
    milliseconds = int(now.timestamp() * 1000)
    id_ = f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7000-8000-{number:012x}"
    stage = "proposal" if number % 2 == 0 else "reserve"
    return (
        str(organization_id), id_, payment, stage, "ALLOW", b"0" * 32, request.to_json(),
        facts.to_json(), b"0" * 32, b'{"retriable":false}', now,
    )  # fmt: skip


def _request(payment_id: str, minor: int, payee: int, now: datetime) -> PaymentRequest:
    return PaymentRequest(
        organization_id="o-1",
        payment_id=payment_id,
        invoice_id=f"HF-{payment_id[-6:]}",
        payee_id=f"00000000-0000-7000-9000-{payee:012d}",
        initiator_id="00000000-0000-7000-a000-000000000001",
        initiator_kind="agent" if payee % 3 else "human",
        recipient="0x" + f"{payee:040x}",
        chain_id=31337,
        token="0x" + "22" * 20,
        asset="USDC",
        decimals=6,
        amount_minor=minor * 10_000,
        reporting_currency="USD",
        reporting_amount_minor=minor,
        now=now,
    )


def _facts(random: Random, now: datetime) -> Facts:
    since = now - timedelta(days=random.choice([1, 10, 300, 300, 300]))
    facts = Facts(
        as_of=now,
        payee=PayeeFact("verified", "verified", None, since, since, random.choice(["", "cloud"])),
        duplicates=(),
        spent_24h=WindowFact(100_000, now),
        available_minor=10**12,
        invoice_open_minor=10**12,
        runway=RunwayFact(500_000_000, 10_000_000, now),
        price=PriceFact("USDC", "USD", 1, 1, now, True),
        frozen=False,
        history=HistoryFact(50, 50, 150_000, 40_000),
        initiator_roles=("clerk",),
        evidence=(),
        local_time=LocalTimeFact("Europe/Berlin", "2026-11-02", 1, 600),
        sanctions=SanctionsFact((), now),
        batch=1,
        policy_since=_BEGAN,
        network=NetworkFact(now, 10**9, now),
    )
    # One in ten was stored before history was a fact.
    return replace(facts, history=None) if random.random() < 0.1 else facts


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else DECISIONS)
