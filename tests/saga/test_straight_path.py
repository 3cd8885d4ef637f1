"""An approved payment becomes exactly one transfer, final on chain and in the books."""

import asyncio
import time

from saga.engine import Pump
from tests.support.payees import BRIGHTMOOR_ADDRESS, HALDEN_ADDRESS
from tests.support.treasury import Treasury
from treasurer.payments.model import Payment, PaymentState


async def pump_until(
    treasury: Treasury, pump: Pump, payments: list[Payment], state: PaymentState
) -> list[Payment]:
    deadline = time.monotonic() + 20
    while True:
        await pump.pass_once()
        found = [await treasury.payment(payment) for payment in payments]
        if all(payment.state is state for payment in found):
            return found
        assert time.monotonic() < deadline, [(p.state, p.explanation) for p in found]
        await asyncio.sleep(0.02)


async def test_a_small_payment_is_settled_without_anybody(treasury: Treasury) -> None:
    before = await treasury.token_balance(HALDEN_ADDRESS)
    proposed = await treasury.propose("HF-1", 840_000_000)
    assert proposed.state is PaymentState.APPROVED
    (settled,) = await pump_until(treasury, treasury.pump(), [proposed], PaymentState.SETTLED)
    assert await treasury.token_balance(HALDEN_ADDRESS) - before == 840_000_000
    assert settled.transaction_hash is not None
    receipt = await treasury.chain.receipt(settled.transaction_hash)
    assert receipt is not None
    assert receipt.succeeded
    fee = receipt.gas_used * receipt.effective_gas_price_wei
    assert await treasury.rows(
        "SELECT code, posted_minor, held_minor FROM ledger_accounts WHERE code LIKE 'expense:%'"
        " ORDER BY code"
    ) == [("expense:network-fees:ETH", fee, 0), ("expense:suppliers:USDC", 840_000_000, 0)]
    assert await treasury.rows(
        "SELECT posted_minor, held_minor FROM ledger_accounts WHERE code = :code",
        code=f"wallet:{treasury.wallet.id}:USDC",
    ) == [(await treasury.token_balance(treasury.wallet.address), 0)]
    assert await treasury.rows("SELECT asset, sum(amount_minor) FROM postings GROUP BY asset") in (
        [("ETH", 0), ("USDC", 0)],
        [("USDC", 0), ("ETH", 0)],
    )
    assert await treasury.rows("SELECT in_flight_minor FROM budgets") == [(0,)]
    assert await treasury.rows("SELECT sum(amount_minor) FROM spend_minutes") == [(84_000,)]
    assert await treasury.rows("SELECT state, open_amount_minor FROM invoices") == [("paid", 0)]
    assert settled.balance_after_minor == await treasury.token_balance(treasury.wallet.address)
    await treasury.audit.seal(treasury.organization.id)
    verification = await treasury.audit.verify(treasury.organization.id)
    assert verification.fault is None


async def test_many_payments_share_one_wallet_in_gapless_slots(treasury: Treasury) -> None:
    before = await treasury.token_balance(BRIGHTMOOR_ADDRESS)
    proposed = [
        await treasury.propose(f"BM-{number}", 100_000_000 + number, "V-003")
        for number in range(20)
    ]
    await pump_until(treasury, treasury.pump(), proposed, PaymentState.SETTLED)
    assert await treasury.token_balance(BRIGHTMOOR_ADDRESS) - before == sum(
        100_000_000 + number for number in range(20)
    )
    nonces = await treasury.rows("SELECT nonce FROM transfers ORDER BY nonce")
    first = treasury.wallet.next_nonce
    assert [nonce for (nonce,) in nonces] == list(range(first, first + 20))
