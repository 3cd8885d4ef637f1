"""A database that was restored from an older copy: the signer remembers a slot that the rows forgot."""

from typing import cast

from saga.engine import Pump
from tests.faults.chain import NodeChain
from tests.faults.world import build_world
from treasurer.chain.signer_client import SignerClient
from treasurer.db.engine import Database


async def test_an_order_that_the_signer_knows_from_another_slot_is_not_paid(
    laboratory: Database,
) -> None:
    world = await build_world(laboratory, "restored", wallets=1)
    (forgotten,) = await world.approve([250_000_000])
    world.signer.slots_of[forgotten][world.wallets[0].address, 77] = None
    pump = Pump(world.context(NodeChain(world.node)), cast("SignerClient", world.signer))
    for _ in range(6):
        await pump.pass_once()
        world.node.mine()
        world.clock.advance(seconds=3)
    assert await world.rows("SELECT DISTINCT kind FROM attempts") == [("cancel",)]
    payee = world.payees[0].addresses[0].address
    assert world.node.state.tokens.get(payee, 0) == 0
    assert await world.rows("SELECT DISTINCT state FROM payments") == [("approved",)]
    ((kind, message),) = await world.rows("SELECT kind, message FROM incidents")
    assert (kind, str(message)[:21]) == ("signer.refused", "ORDER_IN_ANOTHER_SLOT")
    await world.retire()
