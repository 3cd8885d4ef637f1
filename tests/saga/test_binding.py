"""Reserve is binding: what passes alone may not pass together, and what changed since is seen."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest

from saga.steps.reserve import reserve
from tests.saga.test_straight_path import pump_until
from tests.support.payees import HALDEN_ADDRESS, QORVANE_ADDRESS
from tests.support.treasury import Treasury, open_treasury
from treasurer.approvals.model import Choice
from treasurer.db.engine import Database
from treasurer.kernel.organization import Principal
from treasurer.payments.model import Payment, PaymentState


async def vote(treasury: Treasury, payment: Payment, voter: Principal) -> None:
    (request,) = [
        request
        for request in await treasury.approvals.page_open(voter)
        if request.payment_id == payment.id
    ]
    await treasury.approvals.vote(voter, request.id, Choice.APPROVE, "", request.order_digest)


async def test_two_that_pass_alone_do_not_pass_together(treasury: Treasury) -> None:
    """24 h cap 25,000: after 24,400 in flight, of two payments of 500 only one may leave."""
    big = [await treasury.propose(f"QL-{n}", 6_100_000_000, "V-002") for n in range(4)]
    for payment in big:
        await vote(treasury, payment, treasury.organization.approver)
    small = [await treasury.propose(f"HF-{n}", 500_000_000) for n in range(2)]
    context = treasury.context()
    for payment in big:
        assert len(await reserve(context, treasury.organization.id, [payment.id])) == 1
    results = await asyncio.gather(
        *(reserve(context, treasury.organization.id, [payment.id]) for payment in small)
    )
    assert sorted(map(len, results)) == [0, 1]
    states = sorted([(await treasury.payment(payment)).state for payment in small])
    assert states == [PaymentState.DENIED, PaymentState.EXECUTING]
    assert await treasury.rows("SELECT in_flight_minor FROM budgets") == [(2_490_000,)]


async def test_a_payment_that_needs_people_waits_for_them(treasury: Treasury) -> None:
    before = await treasury.token_balance(QORVANE_ADDRESS)
    payment = await treasury.propose("QL-1", 4_150_000_000, "V-002")
    assert payment.state is PaymentState.AWAITING_APPROVAL
    pump = treasury.pump()
    await pump.pass_once()
    assert (await treasury.payment(payment)).state is PaymentState.AWAITING_APPROVAL
    await vote(treasury, payment, treasury.organization.approver)
    await pump_until(treasury, pump, [payment], PaymentState.SETTLED)
    assert await treasury.token_balance(QORVANE_ADDRESS) - before == 4_150_000_000


@pytest.mark.parametrize(
    ("change", "undo", "reason"),
    [
        (
            "UPDATE organizations SET frozen = true",
            "UPDATE organizations SET frozen = false",
            "frozen",
        ),
        (
            "UPDATE payees SET state = 'suspended'",
            "UPDATE payees SET state = 'active'",
            "the payee is suspended",
        ),
        (
            "UPDATE wallets SET state = 'stopped'",
            "UPDATE wallets SET state = 'active'",
            "the wallet is stopped",
        ),
    ],
)
async def test_what_stops_a_reserved_transfer_voids_it_without_a_trace_on_chain(
    treasury: Treasury, change: str, undo: str, reason: str
) -> None:
    payment = await treasury.propose("HF-1", 640_000_000)
    await reserve(treasury.context(), treasury.organization.id, [payment.id])
    await treasury.execute(change)
    await treasury.pump().pass_once()
    ((state, why, nonce),) = await treasury.rows("SELECT state, reason, nonce FROM transfers")
    assert (state, nonce) == ("void", None)
    assert reason in str(why)
    assert await treasury.rows("SELECT DISTINCT state FROM holds") == [("voided",)]
    assert await treasury.rows("SELECT sum(held_minor) FROM ledger_accounts") == [(0,)]
    assert await treasury.rows("SELECT in_flight_minor FROM budgets") == [(0,)]
    assert (await treasury.payment(payment)).state is PaymentState.APPROVED
    await treasury.execute(undo)
    await pump_until(treasury, treasury.pump(), [payment], PaymentState.SETTLED)


async def test_a_replaced_address_is_never_paid(treasury: Treasury) -> None:
    payment = await treasury.propose("HF-1", 640_000_000)
    before = await treasury.token_balance(HALDEN_ADDRESS)
    await treasury.execute("UPDATE payee_addresses SET state = 'revoked'")
    await treasury.pump().pass_once()
    after = await treasury.payment(payment)
    assert after.state is PaymentState.DENIED
    assert await treasury.rows("SELECT count(*) FROM transfers") == [(0,)]
    assert await treasury.token_balance(HALDEN_ADDRESS) == before
    assert await treasury.rows("SELECT state FROM allocations") == [("released",)]
    assert await treasury.rows("SELECT state, open_amount_minor FROM invoices") == [
        ("needs_review", 640_000_000)
    ]


async def test_a_dry_run_does_everything_but_sign(treasury: Treasury) -> None:
    await treasury.execute("UPDATE organizations SET mode = 'dry_run'")
    payment = await treasury.propose("HF-1", 640_000_000)
    pump = treasury.pump()
    for _ in range(5):
        await pump.pass_once()
    assert await treasury.rows("SELECT state, reason FROM transfers") == [
        ("reserved", "dry run: everything but signing")
    ]
    await treasury.execute("UPDATE organizations SET mode = 'live'")
    await pump_until(treasury, pump, [payment], PaymentState.SETTLED)


async def test_in_a_dry_run_what_else_stops_a_payment_gives_its_money_back(
    treasury: Treasury,
) -> None:
    await treasury.execute("UPDATE organizations SET mode = 'dry_run'")
    kept = await treasury.propose("HF-1", 640_000_000)
    stopped = await treasury.propose("MI-1", 320_000_000, "V-002")
    await treasury.pump().pass_once()
    await treasury.execute("UPDATE payees SET state = 'suspended' WHERE code = 'V-002'")
    later = treasury.clock() + timedelta(minutes=1)
    treasury.clock = lambda: later
    await treasury.pump().pass_once()
    assert await treasury.rows(
        "SELECT i.payment_id, t.state, t.reason FROM transfers t"
        " JOIN transfer_items i ON i.transfer_id = t.id ORDER BY t.id"
    ) == [
        (kept.id, "reserved", "dry run: everything but signing"),
        (stopped.id, "void", "the payee is suspended"),
    ]
    assert await treasury.rows("SELECT in_flight_minor FROM budgets") == [(64_000,)]


async def test_an_order_that_is_too_late_expires(treasury: Treasury) -> None:
    payment = await treasury.propose("HF-1", 640_000_000)
    late = payment.not_after + timedelta(seconds=1)
    treasury.clock = lambda: late
    assert await reserve(treasury.context(), treasury.organization.id, [payment.id]) == []
    assert (await treasury.payment(payment)).state is PaymentState.EXPIRED


async def test_the_signer_has_the_last_word_and_loses_nothing(treasury: Treasury) -> None:
    """A frozen signer refuses; the transfer waits in its slot and goes on when it is unfrozen."""
    await treasury.signer.freeze("a test")
    payment = await treasury.propose("HF-1", 640_000_000)
    pump = treasury.pump()
    deadline = time.monotonic() + 10
    while await treasury.rows("SELECT state FROM transfers WHERE reason <> ''") != [("slotted",)]:
        await pump.pass_once()
        assert time.monotonic() < deadline
    ((reason,),) = await treasury.rows("SELECT reason FROM transfers")
    assert "the signer refused" in str(reason)
    # A freeze is nobody's surprise.
    assert await treasury.rows("SELECT kind FROM incidents") == []
    await treasury.signer.unfreeze()
    await pump_until(treasury, pump, [payment], PaymentState.SETTLED)
    assert await treasury.rows("SELECT count(*) FROM attempts") == [(1,)]


async def test_proposing_again_answers_with_the_same_payment(treasury: Treasury) -> None:
    invoice_id = await treasury.invoice("HF-1", 640_000_000)
    payments = await asyncio.gather(
        *(treasury.payments.propose(treasury.organization.agent, invoice_id) for _ in range(5))
    )
    assert len({payment.id for payment in payments}) == 1
    assert await treasury.rows("SELECT count(*) FROM payments") == [(1,)]


@pytest.mark.parametrize(
    ("change", "undo", "explanation"),
    [
        (
            "UPDATE ledger_accounts SET held_minor = posted_minor - 11999999999999999"
            " WHERE code LIKE '%ETH' AND kind = 'asset'",
            "UPDATE ledger_accounts SET held_minor = 0",
            "its wallets have less than the 0.012 ETH held for gas; fill one of them up",
        ),
        (
            "UPDATE wallets SET state = 'stopped'",
            "UPDATE wallets SET state = 'active'",
            "none of its wallets is active",
        ),
    ],
    ids=["gas", "stopped"],
)
async def test_a_payment_that_no_wallet_can_send_says_what_is_missing(
    treasury: Treasury, change: str, undo: str, explanation: str
) -> None:
    payment = await treasury.propose("HF-1", 640_000_000)
    await treasury.execute(change)
    assert await reserve(treasury.context(), treasury.organization.id, [payment.id]) == []
    after = await treasury.payment(payment)
    assert (after.state, after.explanation) == (PaymentState.APPROVED, explanation)
    await treasury.execute(undo)
    await treasury.execute("UPDATE payments SET next_at = created_at")
    assert len(await reserve(treasury.context(), treasury.organization.id, [payment.id])) == 1


async def test_a_wallet_sends_sixteen_at_once(treasury: Treasury) -> None:
    payments = [await treasury.propose(f"HF-{number}", 10_000_000) for number in range(17)]
    ids = [payment.id for payment in payments]
    assert len(await reserve(treasury.context(), treasury.organization.id, ids)) == 16
    last = await treasury.payment(payments[-1])
    assert last.explanation == "each of its wallets has 16 transfers in flight"


async def test_more_than_the_wallet_holds_waits_for_funds(treasury: Treasury) -> None:
    await treasury.execute(
        "INSERT INTO bank_balances SELECT id, 'Main bank', 'USD', 2, 100000000, created_at"
        " FROM organizations"
    )
    await treasury.execute(
        "UPDATE ledger_accounts SET held_minor = posted_minor - 639999999 WHERE code LIKE '%USDC'"
        " AND kind = 'asset'"
    )
    payment = await treasury.propose("HF-1", 640_000_000)
    assert payment.state is PaymentState.PROPOSED
    assert "640.00 USDC is more than the 639.999999 USDC available" in payment.explanation
    await treasury.execute(
        "UPDATE ledger_accounts SET held_minor = 0 WHERE code LIKE '%USDC' AND kind = 'asset'"
    )
    await treasury.execute("UPDATE payments SET next_at = created_at")
    await pump_until(treasury, treasury.pump(), [payment], PaymentState.SETTLED)


async def test_a_revert_books_its_fees_and_returns_the_payment(
    database: Database, chain_url: str, tmp_path: Path
) -> None:
    """The books say more than the chain has, so the token reverts: nothing is paid, gas is."""
    async with open_treasury(
        database, chain_url, tmp_path / "signer", minted_minor=100_000_000
    ) as poor:
        await poor.execute(
            "UPDATE ledger_accounts SET posted_minor = 10^12 WHERE kind = 'asset'"
            " AND code LIKE '%USDC'"
        )
        payment = await poor.propose("HF-1", 640_000_000)
        pump = poor.pump()
        deadline = time.monotonic() + 15
        while await poor.rows("SELECT state FROM transfers") != [("void",)]:
            await pump.pass_once()
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert (await poor.payment(payment)).state is PaymentState.APPROVED
        assert await poor.rows("SELECT DISTINCT state FROM holds") == [("voided",)]
        assert await poor.rows("SELECT in_flight_minor FROM budgets") == [(0,)]
        (gas,) = await poor.chain.native_balances([poor.wallet.address])
        assert await poor.rows(
            "SELECT posted_minor, held_minor FROM ledger_accounts WHERE code = :code",
            code=f"wallet:{poor.wallet.id}:ETH",
        ) == [(gas, 0)]
        assert await poor.token_balance(poor.wallet.address) == 100_000_000
        assert await poor.rows(
            "SELECT p.next_at > e.occurred_at FROM payments p"
            " JOIN audit_events e ON e.aggregate_id = p.id AND e.kind = 'payment.returned'"
        ) == [(True,)]
