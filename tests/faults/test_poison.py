"""One transfer in trouble is its own trouble: the others of its organization go on."""

from datetime import timedelta
from typing import cast

from saga.engine import Pump
from tests.faults.chain import NodeChain
from tests.faults.world import World, build_world
from treasurer.chain.signer_client import SignerClient
from treasurer.db.engine import Database

REVERTS = 40
"""More than an order's week has room for tries that wait four times as long each time."""


def pump_of(world: World) -> Pump:
    return Pump(world.context(NodeChain(world.node)), cast("SignerClient", world.signer))


async def pumped(world: World, passes: int, *, pump: Pump | None = None) -> None:
    pump = pump or pump_of(world)
    for _ in range(passes):
        await pump.pass_once()
        world.node.mine()
        world.clock.advance(seconds=3)


async def test_a_payment_that_reverts_each_hour_ends_each_time(laboratory: Database) -> None:
    """A token that blocks the recipient reverts every try until the order expires."""
    world = await build_world(laboratory, "reverts", wallets=1)
    world.node.blocked.add(world.payees[0].addresses[0].address)
    await world.approve([250_000_000])
    await pumped(world, 6)
    await world.rows(
        "INSERT INTO transfer_items (organization_id, transfer_id, position, payment_id, recipient,"
        " amount_minor, reporting_amount_minor, order_digest, state, chain_id)"
        " SELECT organization_id, transfer_id, n, payment_id, recipient, amount_minor,"
        " reporting_amount_minor, order_digest, state, chain_id"
        " FROM transfer_items, generate_series(1, CAST(:tries AS integer)) n RETURNING 1",
        tries=REVERTS,
    )
    world.clock.advance(seconds=3601)
    await pumped(world, 6)
    assert await world.rows("SELECT state FROM transfers ORDER BY id") == [("void",), ("void",)]
    ((next_at,),) = await world.rows("SELECT next_at FROM payments")
    assert timedelta(0) < next_at - world.clock() <= timedelta(hours=1)
    await world.retire()
