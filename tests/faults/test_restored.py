"""A database that was restored from an older copy: the signer remembers a slot that the rows forgot."""

from typing import cast

import pytest

from saga.engine import Pump
from saga.steps.stuck import FOREIGN
from tests.faults.chain import NodeChain
from tests.faults.node import GWEI
from tests.faults.world import build_world
from treasurer.chain.signer_client import SignedAttempt, SignerClient
from treasurer.db.engine import Database
from treasurer.kernel.signing import SignPayment
from treasurer.kernel.transaction import FeeTerms


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


@pytest.mark.parametrize("mined", [False, True])
async def test_a_slot_that_the_rows_forgot_is_cancelled_or_set_aside(
    laboratory: Database, mined: bool
) -> None:
    """The signer's journal holds another payment in the slot that is given out again."""
    world = await build_world(laboratory, f"forgot {mined}", wallets=1)
    sender = world.wallets[0].address
    await world.approve([250_000_000])
    ((order,),) = await world.rows("SELECT order_bytes FROM payments")
    fees = FeeTerms(120_000, 3 * GWEI, GWEI)
    (signed,) = await world.signer.sign(
        [SignPayment((bytes(cast("bytes", order)),), sender, 0, 1, fees, None)]
    )
    assert isinstance(signed, SignedAttempt)
    world.node.send(signed.raw)
    world.node.mine(without=() if mined else (sender,))
    # Too dear for the forgotten payment, which waits in the pool where no block took it.
    world.node.base_fee_wei = 10 * GWEI
    await world.postpone()
    (other,) = await world.approve([350_000_000])
    pump = Pump(world.context(NodeChain(world.node)), cast("SignerClient", world.signer))
    for _ in range(14):
        await pump.pass_once()
        world.node.mine()
        world.clock.advance(seconds=3)
    first = await world.rows("SELECT state, reason FROM transfers ORDER BY id LIMIT 1")
    # People decide by that sentence, so nothing may come over it.
    assert first == [
        ("quarantined", FOREIGN) if mined else ("void", "its transaction was cancelled")
    ]
    payee = world.payees[0].addresses[0].address
    # What was out is cancelled, or was paid before the copy was restored; never both.
    assert world.node.state.tokens[payee] == (250_000_000 if mined else 350_000_000)
    ((state,),) = await world.rows("SELECT state FROM payments WHERE id = :id", id=other)
    assert state == ("needs_attention" if mined else "settled")
    await world.retire()
