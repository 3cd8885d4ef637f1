"""Every rule of design section 7 that others learnt from losses: an engine without it turns this red.

Each mutation runs the laboratory's own schedules until one of them finds a fault; a laboratory that
finds none would not have found the loss either.
"""

from dataclasses import replace
from typing import cast

import pytest

from saga.transfer import TransferState
from tests.faults import mutants
from tests.faults.chain import NodeChain
from tests.faults.mutants import replacing
from tests.faults.schedule import Build, Variant, plain, run_schedule
from tests.faults.signer_contract import broken_promises
from tests.faults.signers import ForgetfulSigner, JournalSigner
from tests.faults.world import World, build_world
from treasurer.chain.port import BroadcastOutcome, Chain
from treasurer.db.engine import Database
from treasurer.kernel.ids import PaymentId
from treasurer.kernel.signing import SignPayment
from treasurer.kernel.transaction import FeeTerms

MOST_SEEDS = 60
"""A mutation is found within a few; some need a death at one moment, which is drawn."""
MUTATIONS: dict[str, tuple[Variant, str]] = {
    "broadcast before persist": (
        Variant(build=replacing(TransferState.SLOTTED, mutants.broadcast_before_persist)),
        "sent before persisted",
    ),
    "new nonce on too low": (
        Variant(
            build=replacing(
                TransferState.SIGNED,
                mutants.new_nonce_on(BroadcastOutcome.NONCE_TOO_LOW),
            )
        ),
        "BYTES_OF_ANOTHER_SLOT",
    ),
    "new nonce on time-out": (
        Variant(
            build=replacing(TransferState.SIGNED, mutants.new_nonce_on(BroadcastOutcome.UNKNOWN))
        ),
        "BYTES_OF_ANOTHER_SLOT",
    ),
    "void on missing receipt": (
        Variant(build=replacing(TransferState.BROADCAST, mutants.void_on_missing_receipt)),
        "VOID_WITHOUT_FINAL_CANCEL_OR_REVERT",
    ),
    "void on cancel broadcast": (
        # That the void came too early is shown below; here its gas is missing in the books.
        Variant(build=replacing(TransferState.CANCELLING, mutants.void_on_cancel_broadcast)),
        "LEDGER_IS_NOT_CHAIN",
    ),
    "payment bytes sent after a persisted cancel": (
        Variant(build=replacing(TransferState.CANCELLING, mutants.payment_after_cancel)),
        "payment sent after its cancel",
    ),
    "settle on included": (
        Variant(chain=lambda chain: cast("Chain", mutants.HeadIsFinal(chain))),
        "SETTLED_WITHOUT_FINAL_TRANSACTION",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
async def test_is_found_out(laboratory: Database, quiet: None, name: str) -> None:
    variant, fault = MUTATIONS[name]
    variant = replace(variant, name=name)
    found: list[str] = []
    for seed in range(MOST_SEEDS):
        found += (await run_schedule(laboratory, seed, variant)).faults
        if any(fault in one for one in found):
            return
    pytest.fail(f"{MOST_SEEDS} schedules showed only: {found}")


@pytest.mark.parametrize(
    ("build", "ends", "faults"),
    [
        (plain, ("settled", "settled"), set()),
        (
            replacing(TransferState.CANCELLING, mutants.void_on_cancel_included),
            ("void", None),
            {"VOID_WITHOUT_FINAL_CANCEL_OR_REVERT"},
        ),
        (
            replacing(TransferState.CANCELLING, mutants.void_on_cancel_broadcast),
            ("void", None),
            {"VOID_WITHOUT_FINAL_CANCEL_OR_REVERT"},
        ),
    ],
    ids=["as it is", "void on cancel merely included", "void on cancel broadcast"],
)
async def test_a_cancel_that_was_included_and_then_lost_to_its_payment(
    laboratory: Database, quiet: None, build: Build, ends: tuple[str, str | None], faults: set[str]
) -> None:
    """The cancel stands in a block; a reorganisation puts the payment into the slot instead."""
    world = await build_world(
        laboratory, f"lost cancel {ends} {id(build)}", wallets=1, finality_lag=4
    )
    pump = build(world.context(NodeChain(world.node)), world.signer)
    (payment_id,) = await world.approve([250_000_000])
    await pump.pass_once()
    await world.suspend(world.payees[0])
    for _ in range(3):
        world.clock.advance(seconds=21)
        await pump.pass_once()
    world.node.mine()
    ((payment, kinds),) = await world.rows(
        "SELECT (array_agg(raw ORDER BY number))[1], array_agg(kind ORDER BY number) FROM attempts"
    )
    assert kinds == ["payment", "cancel"]
    await pump.pass_once()
    world.clock.advance(seconds=21)
    await pump.pass_once()
    world.node.reorganise(1, [cast("bytes", payment)], keep=False)
    for _ in range(6):
        world.node.mine()
        world.clock.advance(seconds=21)
        await pump.pass_once()
    await world.audit.seal(world.organization.id)
    report = await world.reconciliation().examine(world.organization.id)
    codes = {one.code for result in report.results for one in result.violations}
    ((transfer, settled),) = await world.rows(
        "SELECT t.state, (SELECT state FROM payments WHERE id = :id AND state = 'settled')"
        " FROM transfers t ORDER BY t.id LIMIT 1",
        id=payment_id,
    )
    assert (transfer, settled) == ends
    assert codes >= faults
    assert faults or codes == set()
    await world.retire()


async def test_a_signer_without_journal_is_found_out(laboratory: Database) -> None:
    world = await build_world(laboratory, "no journal", wallets=1)
    first, other = [await _request(world, id_) for id_ in await world.approve([10**6, 2 * 10**6])]
    assert await broken_promises(JournalSigner(world.keys), first, other) == []
    assert await broken_promises(ForgetfulSigner(world.keys), first, other) == [
        "signed other fees as the same attempt",
        "signed another order as the same attempt",
    ]
    await world.retire()


async def _request(world: World, payment_id: PaymentId) -> SignPayment:
    ((order,),) = await world.rows("SELECT order_bytes FROM payments WHERE id = :id", id=payment_id)
    return SignPayment(
        (cast("bytes", order),), world.wallets[0].address, 0, 1, FeeTerms(120_000, 2 * 10**9, 10**9)
    )
