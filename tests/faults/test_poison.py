"""One transfer in trouble is its own trouble: the others of its organization go on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

from saga.engine import Pump
from saga.steps.reserve import reserve
from saga.steps.resolve import resolve_confirmed
from tests.faults.chain import NodeChain
from tests.faults.test_resolutions import agreed
from tests.faults.world import World, build_world
from treasurer.chain.errors import CallReverted, RpcError
from treasurer.chain.port import BlockEvidence, Receipt
from treasurer.chain.signer_client import SignerClient
from treasurer.db.engine import Database
from treasurer.transfers.model import ResolutionOutcome

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


class Pruned(NodeChain):
    """Nodes that no longer keep the balances of one block, as full nodes do after some minutes."""

    block_number = 0

    async def evidence(
        self, number: int, holders: Mapping[str, Collection[str]]
    ) -> BlockEvidence | None:
        if number == self.block_number:
            raise RpcError("eth_call", -32000, "missing trie node")
        return await super().evidence(number, holders)


async def test_a_block_that_nobody_can_show_holds_up_no_other(laboratory: Database) -> None:
    world = await build_world(laboratory, "pruned", wallets=1)
    chain = Pruned(world.node)
    pump = Pump(world.context(chain), cast("SignerClient", world.signer))
    (old,) = await world.approve([250_000_000])
    await pump.pass_once()
    chain.block_number = world.node.mine().ref.number
    (young,) = await world.approve([350_000_000])
    await pumped(world, 8, pump=pump)
    assert await world.rows("SELECT id, state FROM payments ORDER BY id") == [
        (old, "executing"),
        (young, "settled"),
    ]
    assert await world.rows("SELECT state, reason FROM transfers WHERE state <> 'settled'") == [
        ("included", "eth_call: missing trie node")
    ]
    # An archive node is named in RPC_URL.
    await pumped(world, 2)
    assert await world.rows("SELECT DISTINCT state FROM payments") == [("settled",)]
    await world.retire()


async def test_an_order_that_was_changed_stops_its_own_transfer(laboratory: Database) -> None:
    world = await build_world(laboratory, "changed", wallets=1)
    ids = await world.approve([250_000_000, 350_000_000])
    await reserve(world.context(NodeChain(world.node)), world.organization.id, ids)
    ((last,),) = await world.rows("SELECT max(id::text)::uuid FROM transfers")
    await world.rows(
        "UPDATE payments SET order_bytes = order_bytes || '\\x20' FROM transfer_items i"
        " WHERE i.payment_id = payments.id AND i.transfer_id = :last RETURNING 1",
        last=last,
    )
    await pumped(world, 6)
    assert await world.rows("SELECT state, reason FROM transfers ORDER BY id") == [
        ("settled", ""),
        ("slotted", f"an order of transfer {last} was changed"),
    ]
    await world.retire()


async def test_a_payment_that_cannot_be_decided_waits_alone(laboratory: Database) -> None:
    world = await build_world(laboratory, "undecided", wallets=1)
    broken, whole = await world.approve([250_000_000, 350_000_000])
    await world.rows(
        "UPDATE payments SET order_bytes = '\\x20' WHERE id = :broken RETURNING 1", broken=broken
    )
    await pumped(world, 6)
    assert await world.rows("SELECT id, state FROM payments ORDER BY id") == [
        (broken, "approved"),
        (whole, "settled"),
    ]
    ((explanation,),) = await world.rows(
        "SELECT explanation FROM payments WHERE id = :broken", broken=broken
    )
    assert explanation
    await world.retire()


class Inventive(NodeChain):
    """A provider whose receipts name a block that will not be for ages, until it is found out."""

    lies = True

    async def receipts_of(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        return [
            replace(receipt, block_number=10**12) if self.lies and receipt else receipt
            for receipt in await super().receipts_of(transaction_hashes)
        ]


async def test_a_block_beyond_every_head_is_not_waited_for(laboratory: Database) -> None:
    world = await build_world(laboratory, "inventive", wallets=1)
    chain = Inventive(world.node)
    pump = Pump(world.context(chain), cast("SignerClient", world.signer))
    await world.approve([250_000_000])
    while await world.rows("SELECT block_number FROM transfers") != [(10**12,)]:
        await pumped(world, 1, pump=pump)
    chain.lies = False
    await pumped(world, 6, pump=pump)
    assert await world.rows("SELECT state FROM transfers") == [("settled",)]
    await world.retire()


class Silenced(NodeChain):
    """A token that answers for no balance any more, in whatever block; its events stand all the same."""

    async def evidence(
        self, number: int, holders: Mapping[str, Collection[str]]
    ) -> BlockEvidence | None:
        if any(holders.values()):
            raise CallReverted("eth_call", "execution reverted")
        return await super().evidence(number, holders)


async def test_a_token_that_answers_no_more_is_for_people_to_settle(laboratory: Database) -> None:
    world = await build_world(laboratory, "silenced", wallets=1)
    context = world.context(Silenced(world.node))
    pump = Pump(context, cast("SignerClient", world.signer))
    await world.approve([250_000_000])
    await pumped(world, 6, pump=pump)
    assert await world.rows("SELECT state, reason FROM transfers") == [
        (
            "quarantined",
            "the token answers for no balance: eth_call: the call reverts (execution reverted)",
        )
    ]
    await agreed(world, ResolutionOutcome.SETTLED)
    assert await resolve_confirmed(context) == 1
    assert await world.rows("SELECT state FROM payments") == [("settled",)]
    await world.retire()


async def test_an_order_of_another_network_takes_no_slot_of_this_one(laboratory: Database) -> None:
    """The installation moved to another network with the same keys; what was approved before names the
    former one, where nobody can send it or its cancel any more.
    """
    world = await build_world(laboratory, "moved", wallets=1)
    ids = await world.approve([250_000_000])
    await world.rows("UPDATE wallets SET chain_id = 10 RETURNING 1")
    context = world.context(NodeChain(world.node))
    moved = replace(context, rail=replace(context.rail, chain_id=10))
    assert await reserve(moved, world.organization.id, ids) == []
    assert await world.rows("SELECT state, explanation FROM payments") == [
        ("approved", "none of its wallets is active")
    ]
    await world.retire()
