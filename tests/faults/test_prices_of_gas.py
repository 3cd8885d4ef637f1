"""A fee that no node takes is raised, wherever the payment waits."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from saga.context import FeePolicy
from saga.engine import Pump
from saga.steps.reserve import reserve
from tests.faults.chain import NodeChain
from tests.faults.node import GWEI
from tests.faults.world import build_world
from treasurer.chain.fees import FeeCaps
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


async def test_a_cancel_outbids_what_was_signed_under_a_higher_cap(laboratory: Database) -> None:
    """The operator lowers the caps while a dear payment waits; the signer permits what replaces it."""
    world = await build_world(laboratory, "lowered", wallets=1)
    ids = await world.approve([250_000_000])
    context = world.context(NodeChain(world.node))
    world.node.base_fee_wei = 40 * GWEI
    await reserve(context, world.organization.id, ids)
    world.node.base_fee_wei = 85 * GWEI
    await Pump(context, cast("SignerClient", world.signer)).pass_once()
    await world.suspend(world.payees[0])
    lowered = replace(context, fees=FeePolicy(120_000, FeeCaps(20 * GWEI, 30 * GWEI)))
    pump = Pump(lowered, cast("SignerClient", world.signer))
    for _ in range(10):
        await pump.pass_once()
        world.node.mine()
        world.clock.advance(seconds=15)
    assert await world.rows("SELECT state FROM transfers") == [("void",)]
    assert await world.rows(
        "SELECT kind, CAST(max_fee_per_gas_wei AS text) FROM attempts ORDER BY number"
    ) == [("payment", "81000000000"), ("cancel", "91125000000")]
    await world.retire()
