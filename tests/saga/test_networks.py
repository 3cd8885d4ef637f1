"""The network's state reaches decisions: the worker reads it, proposal and reserve look at the reading."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from saga.steps.reserve import reserve
from tests.support.clock import ManualClock
from tests.support.treasury import NORWICK, Treasury, open_treasury
from treasurer.chain.port import BlockRef, FeeQuote
from treasurer.db.engine import Database
from treasurer.kernel.errors import Transient
from treasurer.payments.model import Payment, PaymentState
from treasurer.payments.networks import Reading, newest, write
from worker.networks import read_network

GWEI = 10**9
POLICY = "network: {head_age: 2 min, gas_at_most: 80 gwei, max_age: 1 min}"


@dataclass
class World:
    treasury: Treasury
    clock: ManualClock

    async def keep(self, *, gas_price_wei: int = GWEI, head_age_s: int = 0) -> None:
        self.clock.advance(seconds=1)
        now = self.clock()
        head_at = now - timedelta(seconds=head_age_s)
        async with self.treasury.database.unscoped() as connection:
            await write(connection, Reading(31337, 7, head_at, gas_price_wei, now))

    async def reserve(self, payment: Payment) -> int:
        await self.treasury.execute(
            "UPDATE payments SET next_at = created_at WHERE next_at IS NOT NULL"
        )
        context = self.treasury.context()
        return len(await reserve(context, self.treasury.organization.id, [payment.id]))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(
    database: Database, chain_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    clock, folder = ManualClock(datetime.now(UTC)), tmp_path_factory.mktemp("networks") / "signer"
    policy = NORWICK.read_text() + POLICY
    async with open_treasury(database, chain_url, folder, clock, policy=policy) as treasury:
        yield World(treasury, clock)


async def test_what_was_never_read_is_waited_for(world):
    payment = await world.treasury.propose("NW-1", 500_000_000)
    assert payment.state is PaymentState.PROPOSED
    assert "could not be determined just now" in payment.explanation
    assert await world.reserve(payment) == 0
    assert (
        await read_network(world.treasury.database, world.treasury.chain, 31337, world.clock) == 1
    )
    ((number, wei, read_at),) = await world.treasury.rows(
        "SELECT head_number, gas_price_wei, read_at FROM network_readings WHERE chain_id = 31337"
    )
    assert (number > 0, wei > 0, read_at) == (True, True, world.clock())
    assert await world.reserve(payment) == 1


async def test_dear_gas_waits_at_reserve_and_is_told(world):
    await world.keep()
    payment = await world.treasury.propose("NW-2", 500_000_000)
    assert payment.state is PaymentState.APPROVED
    await world.keep(gas_price_wei=81 * GWEI)
    assert await world.reserve(payment) == 0
    waiting = await world.treasury.payment(payment)
    assert waiting.state is PaymentState.APPROVED
    assert "Gas costs 81 gwei a unit; above 80 gwei payments wait." in waiting.explanation
    await world.keep(gas_price_wei=80 * GWEI)
    assert await world.reserve(payment) == 1


async def test_a_network_that_stands_still_waits(world):
    await world.keep(head_age_s=121)
    payment = await world.treasury.propose("NW-3", 500_000_000)
    assert payment.state is PaymentState.PROPOSED
    assert "newest block is 121 s old" in payment.explanation
    await world.keep(head_age_s=120)
    assert await world.reserve(payment) == 1


@dataclass(frozen=True)
class Silent:
    """A chain whose head is known and whose fees are not."""

    async def head(self) -> BlockRef:
        return BlockRef(9, b"", 0, 0, b"")

    async def fees(self) -> FeeQuote:
        raise Transient("CHAIN_UNREACHABLE", "nobody answers")


async def test_silence_and_older_readings_change_nothing(world):
    await world.keep(gas_price_wei=3 * GWEI)
    assert await read_network(world.treasury.database, Silent(), 31337, world.clock) == 0
    async with world.treasury.database.unscoped() as connection:
        before = await newest(connection, 31337)
        assert before is not None
        older = before.as_of - timedelta(seconds=1)
        await write(connection, Reading(31337, 8, older, 5 * GWEI, older))
        assert await newest(connection, 31337) == before
        assert before == replace(before, gas_price_wei=3 * GWEI, as_of=world.clock())
