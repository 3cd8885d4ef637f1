"""A batch of a token that misbehaves: all or nothing on chain, and no payee holds up the others."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from tests.saga.test_batches import propose
from tests.saga.test_cancelling import IMPATIENT, until
from tests.saga.test_straight_path import pump_until
from tests.support.contracts import DEPLOYER, Contract, Mode, deploy
from tests.support.embedded import JsonRpc
from tests.support.payees import BRIGHTMOOR_ADDRESS, HALDEN_ADDRESS, QORVANE_ADDRESS
from tests.support.treasury import Batching, Treasury, open_treasury
from treasurer.db.engine import Database
from treasurer.payments.model import PaymentState

PAYEES = (HALDEN_ADDRESS, QORVANE_ADDRESS, BRIGHTMOOR_ADDRESS)
TRANSFERS = "SELECT state, disperse IS NOT NULL FROM transfers ORDER BY id"
Paying = Callable[[Contract], AbstractAsyncContextManager[Treasury]]


@pytest.fixture
def rpc(chain_url: str) -> Iterator[JsonRpc]:
    with JsonRpc(chain_url) as opened:
        yield opened


@pytest.fixture
def paying(database: Database, chain_url: str, tmp_path: Path) -> Paying:
    @asynccontextmanager
    async def opened(token: Contract) -> AsyncIterator[Treasury]:
        async with open_treasury(
            database, chain_url, tmp_path / "signer", odd_token=token, batching=Batching()
        ) as treasury:
            yield treasury

    return opened


def odd(rpc: JsonRpc, mode: Mode = Mode.PLAIN, *, fee: int = 0) -> Contract:
    return deploy(rpc, "testing/OddToken", 6, mode, fee)


def held(token: Contract) -> list[int]:
    """What the payees hold of it, in dollars."""
    return [token.read("balanceOf", payee) // 10**6 for payee in PAYEES]


async def in_order(treasury: Treasury) -> None:
    """Nothing is held for what ended, and the books say what the chain does."""
    (gas,) = await treasury.chain.native_balances([treasury.wallet.address])
    assert await treasury.rows(
        "SELECT posted_minor, held_minor FROM ledger_accounts WHERE code LIKE 'wallet:%' ORDER BY asset"
    ) == [(gas, 0), (await treasury.token_balance(treasury.wallet.address), 0)]


async def test_a_blocked_payee_stops_the_batch_and_then_only_itself(
    rpc: JsonRpc, paying: Paying
) -> None:
    token = odd(rpc)
    token.must_send(DEPLOYER, "set_blocked", QORVANE_ADDRESS, True)
    async with paying(token) as treasury:
        payments = await propose(treasury, 100, 200, 300)
        pump = treasury.pump()
        await until(treasury, pump, "void")
        assert held(token) == [0, 0, 0]
        assert await treasury.rows("SELECT reason FROM transfers ORDER BY id LIMIT 1") == [
            ("its transaction was reverted",)
        ]
        await pump_until(treasury, pump, [payments[0], payments[2]], PaymentState.SETTLED)
        deadline = time.monotonic() + 15
        while len(await treasury.rows("SELECT 1 FROM transfers WHERE state = 'void'")) < 2:
            await pump.pass_once()
            assert time.monotonic() < deadline
        assert held(token) == [100, 0, 300]
        assert (await treasury.payment(payments[1])).state is PaymentState.APPROVED
        assert await treasury.rows(f"{TRANSFERS} LIMIT 4") == [
            ("void", True),
            ("settled", False),
            ("void", False),
            ("settled", False),
        ]
        await in_order(treasury)
        token.must_send(DEPLOYER, "set_blocked", QORVANE_ADDRESS, False)
        await treasury.execute("UPDATE payments SET next_at = created_at WHERE state = 'approved'")
        await pump_until(treasury, pump, payments, PaymentState.SETTLED)
        assert held(token) == [100, 200, 300]
        await in_order(treasury)


async def test_a_paused_token_pays_nobody_and_everybody_once_it_goes_on(
    rpc: JsonRpc, paying: Paying
) -> None:
    token = odd(rpc)
    token.must_send(DEPLOYER, "set_paused", True)
    async with paying(token) as treasury:
        payments = await propose(treasury, 100, 200)
        pump = treasury.pump()
        await until(treasury, pump, "void")
        assert held(token) == [0, 0, 0]
        token.must_send(DEPLOYER, "set_paused", False)
        await pump_until(treasury, pump, payments, PaymentState.SETTLED)
        assert held(token) == [100, 200, 0]
        assert await treasury.rows(TRANSFERS) == [("void", True), *2 * [("settled", False)]]
        await in_order(treasury)


async def test_a_fee_on_transfer_is_a_contradiction_for_all_of_the_batch(
    rpc: JsonRpc, paying: Paying
) -> None:
    async with paying(odd(rpc, fee=100)) as treasury:
        payments = await propose(treasury, 100, 200)
        await until(treasury, treasury.pump(), "quarantined")
        assert await treasury.rows("SELECT reason, disperse IS NOT NULL FROM transfers") == [
            ("4 transfers left the wallet, 2 expected", True)
        ]
        found = [(await treasury.payment(payment)).state for payment in payments]
        assert found == [PaymentState.NEEDS_ATTENTION] * 2
        assert await treasury.rows("SELECT DISTINCT state FROM holds") == [("placed",)]


async def test_a_token_that_returns_false_reverts_the_batch_and_contradicts_singly(
    rpc: JsonRpc, paying: Paying
) -> None:
    """The contract reads what the token returned; a plain transfer succeeds and moves nothing."""
    async with paying(odd(rpc, Mode.RETURNS_FALSE)) as treasury:
        payments = await propose(treasury, 100, 200)
        await pump_until(treasury, treasury.pump(), payments, PaymentState.NEEDS_ATTENTION)
        assert await treasury.rows("SELECT state, reason FROM transfers ORDER BY id") == [
            ("void", "its transaction was reverted"),
            *2 * [("quarantined", "0 transfers left the wallet, 1 expected")],
        ]


async def test_a_token_that_returns_nothing_is_paid_in_a_batch(
    rpc: JsonRpc, paying: Paying
) -> None:
    token = deploy(rpc, "testing/SilentToken")
    async with paying(token) as treasury:
        payments = await propose(treasury, 100, 200, 300)
        await pump_until(treasury, treasury.pump(pace=IMPATIENT), payments, PaymentState.SETTLED)
        assert held(token) == [100, 200, 300]
        assert await treasury.rows(TRANSFERS) == [("settled", True)]
        await in_order(treasury)
