"""Reorganisations of depth 1, 3 and beyond finality, also with a competing transaction of the slot."""

import pytest

from saga.engine import Pump
from tests.faults.chain import NodeChain
from tests.faults.signers import ForgetfulSigner
from tests.faults.world import World, build_world
from treasurer.chain.signer_client import SignedAttempt
from treasurer.db.engine import Database
from treasurer.kernel.signing import SignPayment
from treasurer.kernel.transaction import FeeTerms

AMOUNT = 250_000_000


async def _paying(database: Database, name: str) -> tuple[World, Pump]:
    """A payment of one wallet whose transaction the next block will hold; finality lags by four."""
    world = await build_world(database, name, wallets=1, finality_lag=4)
    await world.approve([AMOUNT])
    pump = Pump(world.context(NodeChain(world.node)), world.signer)  # type: ignore[arg-type]
    await pump.pass_once()
    return world, pump


async def _rounds(world: World, pump: Pump, rounds: int) -> None:
    for _ in range(rounds):
        world.node.mine()
        world.clock.advance(seconds=21)
        await pump.pass_once()


async def _state(world: World) -> tuple[object, ...]:
    ((transfer, payment),) = await world.rows(
        "SELECT t.state, p.state FROM transfers t JOIN transfer_items i ON i.transfer_id = t.id"
        " JOIN payments p ON p.id = i.payment_id"
    )
    return transfer, payment


async def _found(world: World) -> set[str]:
    await world.audit.seal(world.organization.id)
    report = await world.reconciliation().examine(world.organization.id)
    return {one.code for result in report.results for one in result.violations}


def _received(world: World) -> int:
    return world.node.state.tokens.get(world.payees[0].addresses[0].address, 0)


async def _competing(world: World) -> bytes:
    """Bytes of the wallet's key in the slot of the payment, which no signer of ours ever gave."""
    ((order, nonce),) = await world.rows(
        "SELECT p.order_bytes, t.nonce FROM transfers t, payments p"
    )
    assert isinstance(order, bytes)
    assert isinstance(nonce, int)
    request = SignPayment(
        (order,), world.wallets[0].address, nonce, 1, FeeTerms(90_000, 50 * 10**9, 5 * 10**9)
    )
    (answer,) = await ForgetfulSigner(world.keys).sign([request])
    assert isinstance(answer, SignedAttempt)
    return answer.raw


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("keep", [True, False])
async def test_before_finality_it_is_paid_once_after_all(
    laboratory: Database, quiet: None, depth: int, keep: bool
) -> None:
    world, pump = await _paying(laboratory, f"reorganised {depth} {keep}")
    await _rounds(world, pump, depth)
    assert (await _state(world))[0] == "included"
    world.node.reorganise(depth, keep=keep)
    await _rounds(world, pump, 12)
    assert await _state(world) == ("settled", "settled")
    assert _received(world) == AMOUNT
    assert await _found(world) == set()
    await world.retire()


async def test_a_competing_transaction_of_the_slot_is_named_and_nothing_is_paid_again(
    laboratory: Database, quiet: None
) -> None:
    """The key was used outside: no nonce is taken for the same payment, nothing is given up."""
    world, pump = await _paying(laboratory, "competing")
    await _rounds(world, pump, 3)
    world.node.reorganise(3, [await _competing(world)], keep=False)
    await _rounds(world, pump, 12)
    assert (await _state(world))[0] not in ("settled", "void")
    assert _received(world) == AMOUNT
    assert await _found(world) >= {"SLOT_USED_BY_ANOTHER_TRANSACTION"}
    await world.retire()


async def test_beyond_finality_the_state_stays_and_the_auditor_says_so(
    laboratory: Database, quiet: None
) -> None:
    world, pump = await _paying(laboratory, "beyond")
    await _rounds(world, pump, 8)
    assert await _state(world) == ("settled", "settled")
    world.node.reorganise(8, keep=False)
    await _rounds(world, pump, 6)
    assert await _state(world) == ("settled", "settled")
    assert _received(world) == 0
    assert await _found(world) >= {"SETTLED_WITHOUT_FINAL_TRANSACTION", "LEDGER_IS_NOT_CHAIN"}
    await world.retire()
