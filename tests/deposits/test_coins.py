"""Coins that somebody sends leave no log: they are booked from a final balance, and only when the books are
whole up to that block.
"""

import asyncio

import pytest

from saga.engine import Pump
from tests.faults.chain import NodeChain
from tests.faults.world import World, build_world
from tests.support.deposits import GAS_WEI, Books
from treasurer.chain.port import BlockRef
from treasurer.db.engine import Database

BOOKED = "SELECT amount_wei::bigint FROM coin_deposits ORDER BY block_number"
EVENTS = (
    "SELECT kind, payload->>'asset', payload->>'amount_minor' FROM audit_events"
    " WHERE aggregate = 'deposit'"
)


async def test_coins_are_booked_once_and_only_when_final(books: Books) -> None:
    books.mine(2)
    books.give_gas(books.wallets[0].address)
    assert await books.coins.follow(books.organization.id) == 0
    assert await books.balances("ETH") == {}, "not yet final"
    books.mine(2)
    looks = await asyncio.gather(*(books.coins.follow(books.organization.id) for _ in range(4)))
    assert sorted(looks) == [0, 0, 0, 1]
    assert await books.balances("ETH") == {"wallet 0": GAS_WEI, "liability:suspense:ETH": -GAS_WEI}
    books.give_gas(books.wallets[0].address)
    books.give_gas(books.wallets[1].address)
    books.mine(2)
    assert await books.coins.follow(books.organization.id) == 2
    assert await books.balances("ETH") == {
        "wallet 0": 2 * GAS_WEI,
        "wallet 1": GAS_WEI,
        "liability:suspense:ETH": -3 * GAS_WEI,
    }
    assert await books.rows(EVENTS) == [("deposit.booked", "ETH", str(GAS_WEI))] * 3


@pytest.fixture
async def world(database: Database, request: pytest.FixtureRequest) -> World:
    return await build_world(database, request.node.name, wallets=1)


async def _paid(world: World, *, passes: int) -> None:
    """A payment goes so far; five passes settle it."""
    await world.approve([100_000_000])
    pump = Pump(world.context(NodeChain(world.node)), world.signer)
    for _ in range(passes):
        await pump.pass_once()
        world.node.mine()


async def test_nothing_is_booked_while_a_transaction_is_under_way(world: World) -> None:
    world.node.give(world.wallets[0].address, 7)
    await _paid(world, passes=1)
    for _ in range(3):
        world.node.mine()
    # More than its fee has come: a difference there is, but not which.
    world.node.give(world.wallets[0].address, 10**18)
    for _ in range(3):
        world.node.mine()
    assert await world.coins().follow(world.organization.id) == 0
    pump = Pump(world.context(NodeChain(world.node)), world.signer)
    while await pump.pass_once():
        world.node.mine()
    assert await world.coins().follow(world.organization.id) == 1
    assert await world.rows(BOOKED) == [(10**18 + 7,)]
    assert (await world.reconciliation().examine(world.organization.id)).clean


class _Behind(NodeChain):
    """A node that calls no block above `number` final."""

    number = 0

    async def finalized(self) -> BlockRef:
        return self.node.blocks[self.number].ref


async def test_a_fee_that_was_booked_later_is_no_deposit(world: World) -> None:
    behind = _Behind(world.node)
    world.node.mine()
    behind.number = len(world.node.blocks) - 1
    await _paid(world, passes=5)
    # At that block the wallet still has what the payment's gas cost since.
    assert await world.coins(behind).follow(world.organization.id) == 0
    assert await world.rows(BOOKED) == []
    assert (await world.reconciliation().examine(world.organization.id)).clean


async def test_a_booking_of_a_later_block_is_itemised(world: World) -> None:
    world.node.mine()
    behind = _Behind(world.node)
    behind.number = len(world.node.blocks) - 1
    world.node.mine()
    world.node.give(world.wallets[0].address, 9)
    for _ in range(3):
        world.node.mine()
    assert await world.coins().follow(world.organization.id) == 1
    report = await world.reconciliation(behind).examine(world.organization.id)
    assert report.clean
    assert [(item.asset, item.amount_minor, item.why) for item in report.in_flight] == [
        ("ETH", -9, "booked in a later block")
    ]


async def test_a_wallet_that_somebody_else_uses_is_left_to_people(world: World) -> None:
    address = world.wallets[0].address
    world.node.state.nonces[address] = 1
    world.node.give(address, 10**18)
    for _ in range(3):
        world.node.mine()
    assert await world.coins().follow(world.organization.id) == 0
