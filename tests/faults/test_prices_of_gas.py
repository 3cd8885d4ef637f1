"""A fee that no node takes is raised, wherever the payment waits."""

from collections.abc import Sequence
from typing import cast

from saga.engine import Pump
from saga.steps.reserve import reserve
from tests.faults.chain import NodeChain
from tests.faults.node import GWEI
from tests.faults.world import build_world
from treasurer.chain.port import BroadcastOutcome
from treasurer.chain.signed_transaction import read_signed
from treasurer.chain.signer_client import SignerClient
from treasurer.db.engine import Database


class Choosy(NodeChain):
    """Takes nothing into its pool that the next block could not take, as sequencers of rollups."""

    async def broadcast_many(self, raws: Sequence[bytes]) -> list[BroadcastOutcome]:
        return [
            BroadcastOutcome.UNDERPRICED
            if read_signed(raw).call.fees.max_fee_per_gas_wei < self.node.base_fee_wei
            else self.node.send(raw)
            for raw in raws
        ]


async def test_what_was_refused_for_its_price_is_bumped_and_paid_once(
    laboratory: Database,
) -> None:
    world = await build_world(laboratory, "choosy", wallets=1)
    ids = await world.approve([250_000_000])
    context = world.context(Choosy(world.node))
    await reserve(context, world.organization.id, ids)
    # The market moves before the first broadcast, and stays there.
    world.node.base_fee_wei = 20 * GWEI
    pump = Pump(context, cast("SignerClient", world.signer))
    for _ in range(10):
        await pump.pass_once()
        world.node.mine()
        world.clock.advance(seconds=15)
    assert await world.rows("SELECT state FROM payments") == [("settled",)]
    assert await world.rows(
        "SELECT number, kind, CAST(max_fee_per_gas_wei / 1000000000 AS integer) FROM attempts"
        " ORDER BY number"
    ) == [(1, "payment", 3), (2, "payment", 41)]
    payee = world.payees[0].addresses[0].address
    assert world.node.state.tokens[payee] == 250_000_000
    await world.retire()
