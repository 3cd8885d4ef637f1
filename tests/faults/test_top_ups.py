"""Gas money moves between own wallets by the policy set's word alone, and the books follow it."""

from collections.abc import Sequence
from typing import cast

from uuid_utils.compat import uuid7

from saga.context import SagaContext
from saga.engine import Pump
from saga.steps.reserve import reserve
from saga.steps.resolve import resolve_confirmed
from saga.steps.top_up import top_up
from tests.faults.chain import NodeChain
from tests.faults.world import GAS_WEI, LOW_GAS_WEI, POLICY, World, build_world, gas_section
from treasurer.chain.port import Receipt
from treasurer.chain.signer_client import SignerClient
from treasurer.db.engine import Database
from treasurer.kernel.ids import TransferId
from treasurer.transfers.model import ResolutionOutcome
from treasurer.transfers.service import TransferService

ETHER = 10**18
AMOUNT = 20


async def pool(database: Database, name: str, *, low: int, section: bool = True) -> World:
    """`low` wallets below the mark, and one behind them that gives if the policy set says so."""
    return await build_world(
        database,
        name,
        wallets=low + 1,
        policy=POLICY + (gas_section(name, low) if section else ""),
        gas_wei=(LOW_GAS_WEI,) * low,
    )


def context_of(world: World) -> SagaContext:
    return world.context(NodeChain(world.node))


async def pumped(world: World, passes: int) -> None:
    pump = Pump(context_of(world), cast("SignerClient", world.signer))
    for _ in range(passes):
        await pump.pass_once()
        world.node.mine()
        world.clock.advance(seconds=3)


async def violations(world: World) -> list[str]:
    await world.audit.seal(world.organization.id)
    report = await world.reconciliation().examine(world.organization.id)
    return [one.code for result in report.results for one in result.violations]


async def test_a_low_wallet_is_filled_up_and_booked(laboratory: Database) -> None:
    world = await pool(laboratory, "filled up", low=1)
    low, giver = world.wallets
    assert await top_up(context_of(world), world.organization.id) == 1
    # One at a time for a wallet.
    assert await top_up(context_of(world), world.organization.id) == 0
    seen = []
    for _ in range(6):
        await pumped(world, 1)
        seen += await violations(world)
    assert seen == []
    assert await world.rows("SELECT state FROM top_ups") == [("settled",)]
    assert world.node.state.native[low.address] == LOW_GAS_WEI + AMOUNT * ETHER
    fee = GAS_WEI - AMOUNT * ETHER - world.node.state.native[giver.address]
    assert 0 < fee < ETHER
    assert dict(
        await world.rows(
            "SELECT code, CAST(posted_minor AS text) FROM ledger_accounts"
            " WHERE asset = 'ETH' AND code LIKE 'wallet:%'"
        )
    ) == {f"wallet:{w.id}:ETH": str(world.node.state.native[w.address]) for w in world.wallets}
    assert await world.rows("SELECT sum(held_minor) FROM ledger_accounts") == [(0,)]
    await world.retire()


async def test_below_its_mark_a_wallet_waits_and_another_pays(laboratory: Database) -> None:
    """Its balance would do for one payment; the mark is what keeps it back."""
    for section, payer in ((False, 0), (True, 1)):
        world = await pool(laboratory, f"waits {section}", low=1, section=section)
        ids = await world.approve([250_000_000])
        await reserve(context_of(world), world.organization.id, ids)
        assert await world.rows("SELECT sender FROM transfers") == [(world.wallets[payer].address,)]
        await world.retire()


async def test_without_a_section_nothing_moves_and_caps_hold(laboratory: Database) -> None:
    silent = await pool(laboratory, "silent", low=1, section=False)
    assert await top_up(context_of(silent), silent.organization.id) == 0
    capped = await pool(laboratory, "capped", low=3)
    # 45 a day are two of 20.
    assert await top_up(context_of(capped), capped.organization.id) == 2
    assert await top_up(context_of(capped), capped.organization.id) == 0
    await pumped(capped, 6)
    assert await top_up(context_of(capped), capped.organization.id) == 0
    capped.clock.advance(seconds=24 * 3600 + 1)
    assert await top_up(context_of(capped), capped.organization.id) == 1
    for world in (silent, capped):
        await world.retire()


async def test_one_that_came_to_nothing_rests(laboratory: Database) -> None:
    world = await pool(laboratory, "rests", low=1)
    await top_up(context_of(world), world.organization.id)
    # The order lapses before it is signed; nothing was slotted.
    world.clock.advance(seconds=3 * 3600)
    await pumped(world, 1)
    assert await world.rows("SELECT state, result FROM top_ups") == [("void", "past its not_after")]
    await world.rows(
        "UPDATE top_ups SET proposed_at = proposed_at + interval '3 hours' RETURNING 1"
    )
    assert await top_up(context_of(world), world.organization.id) == 0
    world.clock.advance(seconds=3601)
    assert await top_up(context_of(world), world.organization.id) == 1
    assert await violations(world) == []
    await world.retire()


class Hiding(NodeChain):
    """A provider that denies every receipt."""

    async def receipts_of(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        return [None for _ in transaction_hashes]


async def test_a_cancel_that_was_seen_late_settles_no_top_up(laboratory: Database) -> None:
    """People ask to look again at a slot that its cancel used up: no gas money went anywhere."""
    world = await pool(laboratory, "late cancel", low=1)
    low, _ = world.wallets
    await top_up(context_of(world), world.organization.id)
    pump = Pump(context_of(world), cast("SignerClient", world.signer))
    await pump.pass_once()
    world.clock.advance(seconds=3 * 3600)
    while not await world.rows("SELECT FROM attempts WHERE kind = 'cancel'"):
        await pump.pass_once()
        world.clock.advance(seconds=3)
    for _ in range(4):
        world.node.mine()
    hiding = world.context(Hiding(world.node))
    blind = Pump(hiding, cast("SignerClient", world.signer))
    while await world.rows("SELECT state FROM transfers") != [("quarantined",)]:
        await blind.pass_once()
        world.clock.advance(seconds=3)
    ((transfer_id,),) = await world.rows("SELECT id FROM transfers")
    people = TransferService(database=world.database, clock=world.clock, new_id=uuid7)
    await people.propose(
        world.organization.cfo, TransferId(transfer_id), ResolutionOutcome.BROADCAST, "look again"
    )
    await people.confirm(world.organization.approver, TransferId(transfer_id))
    assert await resolve_confirmed(context_of(world)) == 1
    await pumped(world, 4)
    assert world.node.state.native[low.address] == LOW_GAS_WEI
    assert await world.rows("SELECT state FROM transfers") == [("void",)]
    assert await world.rows("SELECT state FROM top_ups") == [("void",)]
    assert await violations(world) == []
    await world.retire()
