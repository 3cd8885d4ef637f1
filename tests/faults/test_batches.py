"""A batch that reverts is taken apart: each of its payments is paid by itself, once."""

from typing import cast

from saga.engine import Pump
from tests.faults.chain import NodeChain
from tests.faults.world import build_world
from treasurer.chain.signer_client import SignerClient
from treasurer.db.engine import Database


async def test_a_reverted_batch_is_paid_as_singles(laboratory: Database) -> None:
    world = await build_world(laboratory, "reverted batch", wallets=1, batches=True)
    pump = Pump(world.context(NodeChain(world.node)), cast("SignerClient", world.signer))
    blocked = world.payees[1].addresses[0].address
    world.node.blocked.add(blocked)
    await world.approve([100_000_000, 200_000_000, 300_000_000])
    for turn in range(12):
        await pump.pass_once()
        world.node.mine()
        world.clock.advance(seconds=21)
        if turn == 8:
            world.node.blocked.clear()
    world.clock.advance(seconds=3601)
    for _ in range(6):
        await pump.pass_once()
        world.node.mine()
        world.clock.advance(seconds=3)
    assert await world.rows("SELECT DISTINCT state FROM payments") == [("settled",)]
    first, *others = await world.rows(
        "SELECT t.state, t.disperse IS NOT NULL, count(*) FROM transfers t"
        " JOIN transfer_items i ON i.transfer_id = t.id GROUP BY t.organization_id, t.id ORDER BY t.id"
    )
    assert first == ("void", True, 3)
    # Two at once; the third reverted alone until its payee was let in again.
    assert [one for one in others if one[0] == "settled"] == [("settled", False, 1)] * 3
    assert {one[0] for one in others if one[0] != "settled"} <= {"void"}
    held = [world.node.state.tokens[payee.addresses[0].address] for payee in world.payees]
    assert held == [100_000_000, 200_000_000, 300_000_000]
    await world.audit.seal(world.organization.id)
    report = await world.reconciliation().examine(world.organization.id)
    assert [one.code for result in report.results for one in result.violations] == []
    await world.retire()
