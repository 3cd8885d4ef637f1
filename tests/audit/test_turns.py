"""Of several workers one reconciles an organization a night; the result is kept, recorded and served."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from tests.faults.chain import NodeChain
from tests.faults.world import World, build_world
from tests.support.clock import START
from treasurer.audit.reconciliation import store
from treasurer.audit.reconciliation.service import last_report
from treasurer.chain.errors import ChainBadAnswer
from treasurer.chain.port import BlockSelector
from treasurer.db.engine import Database
from worker.auditor import Nightly, reconcile_due

TONIGHT = START + timedelta(hours=16)
"""02:00 of the day after the organization was made."""


@pytest.mark.parametrize(
    ("now", "turn"),
    [
        (datetime(2026, 11, 23, 2, 0, tzinfo=UTC), datetime(2026, 11, 23, 2, 0, tzinfo=UTC)),
        (datetime(2026, 11, 23, 1, 59, tzinfo=UTC), datetime(2026, 11, 22, 2, 0, tzinfo=UTC)),
    ],
)
def test_a_turn_is_the_last_full_hour(now: datetime, turn: datetime) -> None:
    assert Nightly(2).last_before(now) == turn


async def _world(database: Database) -> World:
    world = await build_world(database, f"turns {uuid7()}", wallets=1)
    world.clock.now = TONIGHT + timedelta(minutes=1)
    return world


async def test_two_workers_at_once_make_one(database: Database) -> None:
    world = await _world(database)
    id_ = world.organization.id
    made = await asyncio.gather(
        *(world.reconciliation().run_if_due(id_, TONIGHT) for _ in range(2))
    )
    assert sorted(report is not None for report in made) == [False, True]
    assert await world.reconciliation().run_if_due(id_, TONIGHT) is None
    world.clock.advance(days=1)
    assert await world.reconciliation().run_if_due(id_, TONIGHT + timedelta(days=1)) is not None


async def test_what_a_dead_worker_began_is_taken_over(database: Database) -> None:
    world = await _world(database)
    id_ = world.organization.id
    async with database.unit(id_) as connection:
        assert await store.begin(connection, id_, uuid7(), now=world.clock(), since=TONIGHT)
    assert await world.reconciliation().run_if_due(id_, TONIGHT) is None
    world.clock.now += store.ABANDONED_AFTER + timedelta(seconds=1)
    assert await world.reconciliation().run_if_due(id_, TONIGHT) is not None


async def test_a_new_organization_waits_for_its_first_night(database: Database) -> None:
    world = await _world(database)
    assert await world.reconciliation().run_if_due(world.organization.id, START) is None


async def test_every_organization_has_its_turn(database: Database) -> None:
    world = await _world(database)
    assert await reconcile_due(database, world.reconciliation(), TONIGHT) >= 1
    stored = await last_report(database, world.organization.id)
    assert stored is not None
    assert stored.document["clean"] is True


async def test_the_result_is_recorded_with_its_counts(database: Database) -> None:
    world = await _world(database)
    id_ = world.organization.id
    async with database.unit(id_) as connection:
        await connection.execute(text("UPDATE budgets SET in_flight_minor = 7"))
    report = await world.reconciliation().run(id_)
    assert (report.clean, report.violations) == (False, 1)
    stored = await last_report(database, id_)
    assert stored is not None
    (check,) = (one for one in stored.document["checks"] if not one["holds"])
    assert check["violations"] == [
        {
            "code": "IN_FLIGHT_IS_NOT_ITS_ITEMS",
            "about": {},
            "numbers": {"in_flight": "7", "total": "0"},
        }
    ]
    ((event_id, payload),) = await world.rows(
        "SELECT aggregate_id, payload FROM audit_events WHERE kind = 'audit.reconciled'"
    )
    assert event_id == UUID(str(stored.id))
    assert payload == {
        "block_number": report.block_number,
        "clean": False,
        "checks": len(report.results),
        "failed": 0,
        "violations": {"I16.in_flight": 1},
    }


class Pruned(NodeChain):
    """A node that keeps no old balances."""

    async def token_balances(
        self, token: str, owners: Sequence[str], block: BlockSelector = "latest"
    ) -> list[int]:
        raise ChainBadAnswer("eth_call", "missing trie node")


async def test_a_check_that_cannot_be_made_is_not_clean(database: Database) -> None:
    world = await _world(database)

    reconciliation = world.reconciliation(Pruned(world.node))
    report = await reconciliation.examine(world.organization.id)
    assert not report.clean
    assert {result.check.id for result in report.results if result.failed} == {
        "I9.balances",
        "I3.nonces",
    }
