"""What two people ask for while the chain moves on: the chain's word is read in one order."""

from collections.abc import Sequence
from typing import cast

from uuid_utils.compat import uuid7

from saga.engine import Pump
from saga.steps.resolve import resolve_confirmed
from tests.faults.chain import NodeChain
from tests.faults.world import World, build_world
from treasurer.chain.errors import ProvidersTooFew
from treasurer.chain.port import BlockRef, Receipt
from treasurer.chain.signer_client import SignerClient
from treasurer.db.engine import Database
from treasurer.kernel.ids import TransferId
from treasurer.transfers.model import ResolutionOutcome
from treasurer.transfers.service import TransferService


class Hurrying(NodeChain):
    """A chain of which another block is final each time that it is asked."""

    async def finalized(self) -> BlockRef:
        found = await super().finalized()
        self.node.mine()
        return found


async def agreed(world: World, outcome: ResolutionOutcome) -> None:
    """Two people ask for this outcome of the only quarantined transfer."""
    ((id_,),) = await world.rows("SELECT id FROM transfers WHERE state = 'quarantined'")
    people = TransferService(database=world.database, clock=world.clock, new_id=uuid7)
    await people.propose(world.organization.cfo, TransferId(id_), outcome, "we looked")
    await people.confirm(world.organization.approver, TransferId(id_))


async def test_what_becomes_final_while_people_ask_is_not_paid_again(laboratory: Database) -> None:
    world = await build_world(laboratory, "hurrying", wallets=1)
    await world.approve([250_000_000])
    pump = Pump(world.context(NodeChain(world.node)), cast("SignerClient", world.signer))
    await pump.pass_once()
    await world.rows("UPDATE transfers SET state = 'quarantined', next_at = NULL RETURNING 1")
    await world.rows("UPDATE payments SET state = 'needs_attention' RETURNING 1")
    # Its block is the first that is not final.
    for _ in range(world.node.finality_lag):
        world.node.mine()
    await agreed(world, ResolutionOutcome.VOID)
    assert await resolve_confirmed(world.context(Hurrying(world.node))) == 1
    assert await world.rows("SELECT result FROM transfer_resolutions") == [
        ("not done: a final block holds a transaction of its own that did not revert",)
    ]
    assert await world.rows("SELECT state FROM transfers") == [("quarantined",)]
    await world.retire()


async def test_a_resolution_that_fails_stops_no_other(laboratory: Database) -> None:
    """The first organization's payment is not where its transfer says; the second's is as it should be."""
    worlds = [await build_world(laboratory, f"resolved {n}", wallets=1) for n in range(2)]
    for world in worlds:
        await world.approve([250_000_000])
        pump = Pump(world.context(NodeChain(world.node)), cast("SignerClient", world.signer))
        await pump.pass_once()
        await world.rows("UPDATE transfers SET state = 'quarantined', next_at = NULL RETURNING 1")
        await agreed(world, ResolutionOutcome.BROADCAST)
    await worlds[1].rows("UPDATE payments SET state = 'needs_attention' RETURNING 1")
    assert await resolve_confirmed(worlds[0].context(NodeChain(worlds[0].node))) == 1
    assert [await world.rows("SELECT state FROM transfers") for world in worlds] == [
        [("quarantined",)],
        [("broadcast",)],
    ]
    await worlds[0].rows("UPDATE transfer_resolutions SET ended_at = now() RETURNING 1")
    for world in worlds:
        await world.retire()


class HalfAway(NodeChain):
    """One provider lost its receipts, and the other does not answer for any."""

    async def receipts_of(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        return [None for _ in transaction_hashes]

    async def denied(self, transaction_hashes: Sequence[bytes]) -> bool:
        raise ProvidersTooFew("receipts of a slot", "the others do not answer")


async def test_one_provider_s_silence_voids_nothing(laboratory: Database) -> None:
    world = await build_world(laboratory, "half away", wallets=1)
    await world.approve([250_000_000])
    pump = Pump(world.context(NodeChain(world.node)), cast("SignerClient", world.signer))
    await pump.pass_once()
    for _ in range(4):
        world.node.mine()
    blind = world.context(HalfAway(world.node))
    while await world.rows("SELECT state FROM transfers") != [("quarantined",)]:
        await Pump(blind, cast("SignerClient", world.signer)).pass_once()
        world.clock.advance(seconds=3)
    await agreed(world, ResolutionOutcome.VOID)
    assert await resolve_confirmed(blind) == 0
    assert await world.rows("SELECT state FROM transfers") == [("quarantined",)]
    world.clock.advance(seconds=30)
    assert await resolve_confirmed(world.context(NodeChain(world.node))) == 1
    assert await world.rows("SELECT result FROM transfer_resolutions") == [
        ("not done: a final block holds a transaction of its own that did not revert",)
    ]
    await world.retire()
