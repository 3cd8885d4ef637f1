"""A payment whose slot is taken is given up by a cancel, and nothing of it is ever lost or paid twice."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from saga.context import Pace
from saga.engine import Pump
from saga.failpoints import Failpoint
from saga.steps.reserve import reserve
from tests.saga.test_straight_path import pump_until
from tests.support.payees import HALDEN_ADDRESS
from tests.support.treasury import Treasury
from treasurer.chain.pinning import NetworkFinding, TokenCheck
from treasurer.payments.model import PaymentState

IMPATIENT = replace(
    Pace(),
    poll=timedelta(0),
    retry=timedelta(milliseconds=20),
    rebroadcast=timedelta(0),
    bump=timedelta(hours=1),
)
SUSPEND = "UPDATE payees SET state = 'suspended'"
RESTORE = "UPDATE payees SET state = 'active'"


class ChangedToken:
    """A watch whose token is no longer what was pinned."""

    async def check(self, token: str) -> TokenCheck:
        found = NetworkFinding("TOKEN_CODE", "the code is another one")
        return TokenCheck(token, datetime.now(UTC), (found,))


class Abandoned(BaseException):
    """What a failpoint raises: the engine is gone, as if the process had died."""


def dies_at(point: str) -> Failpoint:
    def reach(name: str) -> None:
        if name == point:
            raise Abandoned(name)

    return reach


async def until(treasury: Treasury, pump: Pump, state: str) -> None:
    deadline = time.monotonic() + 30
    while await treasury.rows("SELECT state FROM transfers ORDER BY id LIMIT 1") != [(state,)]:
        await pump.pass_once()
        assert time.monotonic() < deadline, await treasury.rows(
            "SELECT state, reason FROM transfers"
        )
        await asyncio.sleep(0.01)


async def stopped_at(treasury: Treasury, point: str) -> None:
    """A payment of 640 on its way, whose engine died at `point` and whose lease ran out."""
    payment = await treasury.propose("HF-1", 640_000_000)
    await reserve(treasury.context(), treasury.organization.id, [payment.id])
    with pytest.raises(Abandoned):
        await treasury.pump(failpoint=dies_at(point)).pass_once()
    await treasury.execute("UPDATE transfers SET lease_until = NULL")


@pytest.mark.parametrize(
    ("point", "attempts"),
    [
        ("slot.committed", ["cancel"]),
        # The signer recorded the payment before it died; the cancel comes after it.
        ("sign.answered", ["payment", "cancel"]),
        ("sign.committed", ["payment", "cancel"]),
    ],
)
async def test_a_payee_suspended_before_the_first_broadcast_is_not_paid(
    treasury: Treasury, point: str, attempts: list[str]
) -> None:
    before = await treasury.token_balance(HALDEN_ADDRESS)
    await stopped_at(treasury, point)
    await treasury.execute(SUSPEND)
    await until(treasury, treasury.pump(pace=IMPATIENT), "void")
    assert await treasury.token_balance(HALDEN_ADDRESS) == before
    assert await treasury.rows("SELECT kind FROM attempts ORDER BY number") == [
        (kind,) for kind in attempts
    ]
    assert await treasury.rows("SELECT DISTINCT state FROM holds") == [("voided",)]
    assert await treasury.rows("SELECT sum(held_minor) FROM ledger_accounts") == [(0,)]
    assert await treasury.rows("SELECT in_flight_minor FROM budgets") == [(0,)]
    (gas,) = await treasury.chain.native_balances([treasury.wallet.address])
    assert await treasury.rows(
        "SELECT posted_minor FROM ledger_accounts WHERE code = :code",
        code=f"wallet:{treasury.wallet.id}:ETH",
    ) == [(gas,)]
    assert await treasury.rows("SELECT next_nonce FROM wallets") == [
        (await treasury.chain.nonce(treasury.wallet.address),)
    ]


async def test_after_a_void_the_same_payment_is_decided_afresh_and_paid_once(
    treasury: Treasury,
) -> None:
    """It was signed in its first slot, so the signer asks how that one ended."""
    before = await treasury.token_balance(HALDEN_ADDRESS)
    await stopped_at(treasury, "sign.committed")
    await treasury.execute("UPDATE wallets SET state = 'stopped'")
    pump = treasury.pump(pace=IMPATIENT)
    await until(treasury, pump, "void")
    await treasury.execute("UPDATE wallets SET state = 'active'")
    deadline = time.monotonic() + 30
    while await treasury.rows("SELECT state FROM payments") != [("settled",)]:
        await pump.pass_once()
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert await treasury.token_balance(HALDEN_ADDRESS) == before + 640_000_000
    assert await treasury.rows("SELECT state FROM transfers ORDER BY id") == [
        ("void",),
        ("settled",),
    ]
    assert await treasury.rows(
        "SELECT a.kind FROM transfer_items i JOIN attempts a USING (transaction_hash)"
        " WHERE i.state = 'void'"
    ) == [("cancel",)]


async def test_a_payment_that_wins_against_its_cancel_is_settled(treasury: Treasury) -> None:
    before = await treasury.token_balance(HALDEN_ADDRESS)
    await stopped_at(treasury, "broadcast.sent")
    # A cancel that comes before the next block would win.
    deadline = time.monotonic() + 20
    while await treasury.token_balance(HALDEN_ADDRESS) == before:
        assert time.monotonic() < deadline, "mined"
        await asyncio.sleep(0.01)
    await treasury.execute(SUSPEND)
    await until(treasury, treasury.pump(pace=IMPATIENT), "settled")
    assert await treasury.token_balance(HALDEN_ADDRESS) == before + 640_000_000
    assert await treasury.rows("SELECT state FROM payments") == [("settled",)]
    assert await treasury.rows("SELECT block_hash IS NULL FROM transfers") == [(False,)]
    assert await treasury.rows(
        "SELECT payload -> 'after_cancel' FROM audit_events WHERE kind = 'transfer.settled'"
    ) == [(True,)]
    await treasury.execute(RESTORE)


@pytest.mark.parametrize(
    "point", ["abandon.committed", "resign.answered", "resign.committed", "cancel.committed"]
)
async def test_a_cancel_survives_the_death_of_its_engine(treasury: Treasury, point: str) -> None:
    before = await treasury.token_balance(HALDEN_ADDRESS)
    await stopped_at(treasury, "sign.committed")
    await treasury.execute(SUSPEND)
    dying = treasury.pump(failpoint=dies_at(point), pace=IMPATIENT)
    with pytest.raises(Abandoned):
        while True:
            await dying.pass_once()
    await treasury.execute(
        "UPDATE transfers SET lease_until = NULL WHERE state NOT IN ('settled', 'void')"
    )
    await until(treasury, treasury.pump(pace=IMPATIENT), "void")
    assert await treasury.token_balance(HALDEN_ADDRESS) == before
    assert await treasury.rows("SELECT count(*) FROM attempts WHERE kind = 'payment'") == [(1,)]


async def test_an_underpriced_payment_is_bumped_and_paid_once(treasury: Treasury) -> None:
    """The first attempt offers less than the chain asks; a later one of the same slot is mined."""
    before = await treasury.token_balance(HALDEN_ADDRESS)
    payment = await treasury.propose("HF-1", 640_000_000)
    await reserve(treasury.context(), treasury.organization.id, [payment.id])
    await treasury.execute(
        "UPDATE transfers SET max_fee_per_gas_wei = 1, max_priority_fee_per_gas_wei = 1"
    )
    eager = replace(IMPATIENT, bump=timedelta(0))
    await until(treasury, treasury.pump(pace=eager), "broadcast")
    changed = replace(treasury.context(pace=eager), tokens=ChangedToken())
    pump = Pump(changed, treasury.signer)
    while await treasury.rows("SELECT tries < 3 FROM transfers") == [(True,)]:
        await pump.pass_once()
    assert await treasury.rows("SELECT count(*) FROM attempts") == [(1,)]
    await pump_until(
        treasury,
        treasury.pump(pace=replace(IMPATIENT, bump=timedelta(0))),
        [payment],
        PaymentState.SETTLED,
    )
    assert await treasury.token_balance(HALDEN_ADDRESS) == before + 640_000_000
    kinds = await treasury.rows("SELECT DISTINCT kind, call_digest FROM attempts")
    assert len(kinds) == 1
    ((most,),) = await treasury.rows("SELECT max(number) FROM attempts")
    assert most >= 2
