"""An allowance is what two people agreed on, to the unit, and ends as any transfer does."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from uuid_utils.compat import uuid7

from saga.steps.allow import allow_confirmed
from tests.saga.test_batches import propose as propose_payments
from tests.saga.test_cancelling import IMPATIENT, Abandoned, dies_at, until
from tests.saga.test_straight_path import pump_until
from tests.support.treasury import Batching, Treasury, open_treasury
from treasurer.allowances.model import Allowance
from treasurer.allowances.service import AllowanceService
from treasurer.db.engine import Database
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from treasurer.kernel.ids import AllowanceId
from treasurer.payments.model import PaymentState

STATE = "SELECT state, result FROM allowances"


@pytest_asyncio.fixture
async def treasury(database: Database, chain_url: str, tmp_path: Path) -> AsyncIterator[Treasury]:
    """One whose wallet allows nothing yet."""
    async with open_treasury(
        database, chain_url, tmp_path / "signer", batching=Batching(allowed_minor=0)
    ) as opened:
        yield opened
        await opened.execute("UPDATE allowances SET state = 'void' WHERE state = 'confirmed'")


def service(treasury: Treasury) -> AllowanceService:
    return AllowanceService(
        database=treasury.database, rail=treasury.rail, clock=treasury.clock, new_id=uuid7
    )


async def proposed(treasury: Treasury, amount_minor: int) -> Allowance:
    return await service(treasury).propose(
        treasury.organization.cfo,
        wallet=treasury.wallet.address,
        symbol="USDC",
        amount_minor=amount_minor,
    )


async def reserved(treasury: Treasury, amount_minor: int) -> None:
    """Proposed by the CFO, confirmed by the administrator, given a transfer."""
    allowance = await proposed(treasury, amount_minor)
    await service(treasury).confirm(treasury.organization.administrator, allowance.id)
    assert await allow_confirmed(treasury.context()) == 1
    assert await allow_confirmed(treasury.context()) == 0


async def allowed(treasury: Treasury) -> int:
    assert treasury.rail.disperse is not None
    (amount,) = await treasury.chain.token_allowances(
        treasury.rail.tokens[0].address, [treasury.wallet.address], treasury.rail.disperse
    )
    return amount


async def gas_in_order(treasury: Treasury) -> None:
    (gas,) = await treasury.chain.native_balances([treasury.wallet.address])
    assert await treasury.rows(
        "SELECT posted_minor, held_minor FROM ledger_accounts WHERE code = :code",
        code=f"wallet:{treasury.wallet.id}:ETH",
    ) == [(gas, 0)]


async def test_what_two_people_agreed_on_is_allowed_and_pays_a_batch(treasury: Treasury) -> None:
    await reserved(treasury, 700 * 10**6)
    await until(treasury, treasury.pump(), "settled")
    assert await allowed(treasury) == 700 * 10**6
    assert await treasury.rows(STATE) == [("settled", "")]
    assert await treasury.rows("SELECT kind FROM attempts") == [("allowance",)]
    await gas_in_order(treasury)
    payments = await propose_payments(treasury, 300, 400)
    await pump_until(treasury, treasury.pump(), payments, PaymentState.SETTLED)
    assert await treasury.rows("SELECT count(*) FROM transfers WHERE disperse IS NOT NULL") == [
        (1,)
    ]
    assert await allowed(treasury) == 0
    await treasury.audit.seal(treasury.organization.id)
    assert (await treasury.audit.verify(treasury.organization.id)).fault is None


async def test_nobody_allows_alone_and_no_program_does(treasury: Treasury) -> None:
    people, allowances = treasury.organization, service(treasury)
    for who, code in ((people.agent, "HUMAN_REQUIRED"), (people.clerk, "PERMISSION_MISSING")):
        with pytest.raises(NotPermitted, match=code):
            await allowances.propose(
                who, wallet=treasury.wallet.address, symbol="USDC", amount_minor=1
            )
    with pytest.raises(NotFound, match="WALLET_UNKNOWN"):
        await allowances.propose(people.cfo, wallet="0x" + "9" * 40, symbol="USDC", amount_minor=1)
    # An unlimited one has no spelling.
    with pytest.raises(InvalidInput, match="ORDER_AMOUNT"):
        await proposed(treasury, 2**256 - 1)
    allowance = await proposed(treasury, 1)
    with pytest.raises(NotPermitted, match="SECOND_PERSON_REQUIRED"):
        await allowances.confirm(people.cfo, allowance.id)
    with pytest.raises(NotPermitted, match="PERMISSION_MISSING"):
        await allowances.confirm(people.approver, allowance.id)
    with pytest.raises(NotFound, match="ALLOWANCE_UNKNOWN"):
        await allowances.confirm(people.administrator, AllowanceId(uuid7()))
    assert await allow_confirmed(treasury.context()) == 0
    await allowances.reject(people.administrator, allowance.id)
    with pytest.raises(Conflict, match="ALLOWANCE_NOT_OPEN"):
        await allowances.confirm(people.administrator, allowance.id)
    assert await treasury.rows("SELECT count(*) FROM transfers") == [(0,)]
    assert [(a.state, a.order.amount_minor) for a in await allowances.page(people.cfo)] == [
        ("rejected", 1)
    ]


async def test_the_signer_s_cap_cancels_the_slot(treasury: Treasury) -> None:
    await reserved(treasury, 10**12 + 1)
    await until(treasury, treasury.pump(pace=IMPATIENT), "void")
    assert await treasury.rows(STATE) == [("void", "its transaction was cancelled")]
    assert await treasury.rows("SELECT DISTINCT kind FROM attempts") == [("cancel",)]
    assert await treasury.rows("SELECT DISTINCT state FROM holds") == [("voided",)]
    assert await allowed(treasury) == 0
    await gas_in_order(treasury)


async def test_a_freeze_before_the_slot_drops_it_and_before_that_lets_it_wait(
    treasury: Treasury,
) -> None:
    await reserved(treasury, 500)
    await treasury.execute("UPDATE organizations SET frozen = true")
    await treasury.pump().pass_once()
    assert await treasury.rows(STATE) == [("void", "the organization is frozen")]
    allowance = await proposed(treasury, 600)
    await service(treasury).confirm(treasury.organization.administrator, allowance.id)
    assert await allow_confirmed(treasury.context()) == 0
    await treasury.execute("UPDATE organizations SET frozen = false")
    assert await allow_confirmed(treasury.context()) == 1
    pump = treasury.pump()
    while await treasury.rows(f"{STATE} WHERE state = 'settled'") == []:
        await pump.pass_once()
    assert await allowed(treasury) == 600


@pytest.mark.parametrize("point", ["slot.committed", "sign.answered", "broadcast.sent"])
async def test_it_survives_the_death_of_its_engine(treasury: Treasury, point: str) -> None:
    await reserved(treasury, 500)
    with pytest.raises(Abandoned):
        await treasury.pump(failpoint=dies_at(point)).pass_once()
    await treasury.execute("UPDATE transfers SET lease_until = NULL")
    await until(treasury, treasury.pump(), "settled")
    assert await allowed(treasury) == 500
    assert await treasury.rows("SELECT kind FROM attempts") == [("allowance",)]


async def test_an_underpriced_one_is_sent_again_at_higher_fees(treasury: Treasury) -> None:
    await reserved(treasury, 500)
    await treasury.execute(
        "UPDATE transfers SET max_fee_per_gas_wei = 1, max_priority_fee_per_gas_wei = 1"
    )
    await until(treasury, treasury.pump(pace=replace(IMPATIENT, bump=timedelta(0))), "settled")
    assert await allowed(treasury) == 500
    assert len(await treasury.rows("SELECT DISTINCT kind, call_digest FROM attempts")) == 1
    ((most,),) = await treasury.rows("SELECT max(number) FROM attempts")
    assert int(str(most)) >= 2
