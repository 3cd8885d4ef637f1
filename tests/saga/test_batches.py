"""Several approved payments leave in one transaction, each with its own decision, hold, log and entry."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio
from uuid_utils.compat import uuid7

from saga.context import SagaContext
from saga.steps.reserve import reserve
from tests.saga.test_cancelling import IMPATIENT, RESTORE, until
from tests.saga.test_straight_path import pump_until
from tests.support.payees import HALDEN_ADDRESS
from tests.support.treasury import GWEI, Batching, Treasury, open_treasury
from treasurer.chain.evm import EvmChain
from treasurer.chain.port import BlockSelector
from treasurer.db.engine import Database
from treasurer.kernel.batch import MOST_ORDERS
from treasurer.kernel.digest import digest
from treasurer.payments.model import Payment, PaymentState

PAYEES = ("V-001", "V-002", "V-003")


class Open(Protocol):
    def __call__(self, batching: Batching) -> AbstractAsyncContextManager[Treasury]: ...


@pytest.fixture
def opened(database: Database, chain_url: str, tmp_path: Path) -> Open:
    return lambda batching: open_treasury(
        database, chain_url, tmp_path / "signer", batching=batching
    )


@pytest_asyncio.fixture
async def batching(opened: Open) -> AsyncIterator[Treasury]:
    async with opened(Batching()) as treasury:
        yield treasury


async def propose(treasury: Treasury, *amounts: int) -> list[Payment]:
    """Payments of so many dollars each to the three payees in turn."""
    return [
        await treasury.propose(f"B-{uuid7()}", amount * 10**6, PAYEES[n % 3])
        for n, amount in enumerate(amounts)
    ]


async def reserved(
    treasury: Treasury, payments: list[Payment], context: SagaContext | None = None
) -> list[list[int]]:
    """The amounts in dollars of each transfer that one reserve makes of `payments`."""
    made = await reserve(
        context or treasury.context(), treasury.organization.id, [p.id for p in payments]
    )
    rows = await treasury.rows(
        "SELECT transfer_id, amount_minor FROM transfer_items WHERE transfer_id = ANY(:ids)"
        " ORDER BY transfer_id, position",
        ids=made,
    )
    return [[int(str(a)) // 10**6 for id_, a in rows if id_ == transfer] for transfer in made]


async def test_ten_payments_settle_in_one_transaction(batching: Treasury) -> None:
    before = await batching.token_balance(HALDEN_ADDRESS)
    nonce = await batching.chain.nonce(batching.wallet.address)
    payments = await propose(batching, *range(100, 110))
    settled = await pump_until(batching, batching.pump(), payments, PaymentState.SETTLED)
    assert await batching.chain.nonce(batching.wallet.address) == nonce + 1
    assert await batching.token_balance(HALDEN_ADDRESS) - before == (100 + 103 + 106 + 109) * 10**6
    (hash_,) = {payment.transaction_hash for payment in settled}
    assert hash_ is not None
    receipt = await batching.chain.receipt(hash_)
    assert receipt is not None
    assert await batching.rows("SELECT state, disperse FROM transfers") == [
        ("settled", batching.rail.disperse)
    ]
    # I6: ten items, ten logs of the one transaction, in order of emission.
    items = await batching.rows(
        "SELECT log_index, order_digest FROM transfer_items ORDER BY position"
    )
    assert [index for index, _ in items] == [log.log_index for log in receipt.logs[:10]]
    batch_id = digest(b"".join(bytes(order) for _, order in items))  # type: ignore[call-overload]
    assert receipt.logs[10].topics[2] == batch_id
    assert await batching.rows(
        "SELECT kind, count(DISTINCT reference_id) FROM journal_entries"
        " WHERE kind IN ('payment.settled', 'transfer.fees') GROUP BY kind ORDER BY kind"
    ) == [("payment.settled", 10), ("transfer.fees", 1)]
    assert await batching.rows(
        "SELECT count(DISTINCT payment_id) FROM decisions WHERE stage = 'reserve'"
    ) == [(10,)]
    balances = [payment.balance_after_minor for payment in settled]
    assert len(set(balances)) == 10
    assert min(b for b in balances if b is not None) == await batching.token_balance(
        batching.wallet.address
    )
    (gas,) = await batching.chain.native_balances([batching.wallet.address])
    assert await batching.rows(
        "SELECT posted_minor, held_minor FROM ledger_accounts WHERE code LIKE 'wallet:%' ORDER BY asset"
    ) == [(gas, 0), (await batching.token_balance(batching.wallet.address), 0)]
    assert await batching.rows("SELECT in_flight_minor FROM budgets") == [(0,)]
    assert await batching.rows("SELECT sum(amount_minor) FROM spend_minutes") == [(104_500,)]
    assert await batching.rows("SELECT DISTINCT state, open_amount_minor FROM invoices") == [
        ("paid", 0)
    ]
    await batching.audit.seal(batching.organization.id)
    assert (await batching.audit.verify(batching.organization.id)).fault is None
    assert await batching.rows(
        "SELECT jsonb_array_length(payload -> 'decision_ids') FROM audit_events"
        " WHERE kind = 'transfer.reserved'"
    ) == [(10,)]


@pytest.mark.soak
async def test_the_largest_batch_passes_the_signer_and_costs_a_fraction(opened: Open) -> None:
    async with opened(Batching(at_most=MOST_ORDERS)) as treasury:
        payments = await propose(treasury, *[1] * MOST_ORDERS)
        assert await reserved(treasury, payments) == [[1] * MOST_ORDERS]
        settled = await pump_until(treasury, treasury.pump(), payments, PaymentState.SETTLED)
        (hash_,) = {payment.transaction_hash for payment in settled}
        assert hash_ is not None
        receipt = await treasury.chain.receipt(hash_)
        assert receipt is not None
        # A single costs 34,100 to a payee who has some; three payees share the writes of a hundred here.
        assert receipt.gas_used // MOST_ORDERS < 6_000


async def test_each_payment_and_the_gas_of_all_are_held(batching: Treasury) -> None:
    payments = await propose(batching, 100, 200, 300)
    assert await reserved(batching, payments) == [[100, 200, 300]]
    # 120,000 units and 60,000 for each further payment, at the payment's cap.
    gas_wei = 240_000 * 100 * GWEI
    assert await batching.rows(
        "SELECT payment_id IS NULL, amount_minor FROM holds ORDER BY amount_minor"
    ) == [(False, 10**8), (False, 2 * 10**8), (False, 3 * 10**8), (True, gas_wei)]
    assert await batching.rows("SELECT gas_limit FROM transfers") == [(240_000,)]


class Allows(EvmChain):
    """The chain, with an allowance of so many dollars in each of its answers."""

    dollars = 0

    async def token_allowances(
        self, token: str, owners: Sequence[str], spender: str, block: BlockSelector = "latest"
    ) -> list[int]:
        return [self.dollars * 10**6] * len(owners)


async def test_payments_share_as_far_as_policy_pin_and_allowance_go(opened: Open) -> None:
    async with (
        opened(Batching(at_most=3)) as treasury,
        Allows(treasury.chain_url, treasury.profile) as chain,
    ):
        pinned = replace(treasury.context(), chain=chain)
        unpinned = replace(pinned, rail=replace(pinned.rail, disperse=None))

        async def shared(context: SagaContext, dollars: int, *amounts: int) -> list[list[int]]:
            chain.dollars = dollars
            return await reserved(treasury, await propose(treasury, *amounts), context)

        assert await shared(unpinned, 1_000, 100, 200) == [[100], [200]]
        assert await shared(pinned, 299, 100, 200) == [[100], [200]]
        # Three at most, of which the allowance covers all.
        assert await shared(pinned, 1_500, 100, 200, 300, 400, 500) == [[100, 200, 300], [400, 500]]
        # What those will move is no longer free; what does not fit leaves room for the next one.
        assert await shared(pinned, 1_500 + 799, 100, 200, 500, 300, 400) == [
            [100, 200, 300],
            [500],
            [400],
        ]


async def test_limits_are_held_against_a_batch_payment_by_payment(batching: Treasury) -> None:
    """24 h cap 25,000: of three that are due together only those leave that fit together."""
    await batching.execute(
        "UPDATE budgets SET in_flight_minor = 2350000"  # 23,500 dollars under way elsewhere
    )
    payments = await propose(batching, 500, 600, 700)
    # Proposed while there was room for each.
    assert [p.state for p in payments] == [PaymentState.APPROVED] * 3
    assert await reserved(batching, payments) == [[500, 600]]
    assert (await batching.payment(payments[2])).state is PaymentState.DENIED


async def test_one_suspended_payee_before_the_slot_and_the_others_go_together(
    batching: Treasury,
) -> None:
    payments = await propose(batching, 100, 200, 300)
    await reserved(batching, payments)
    await batching.execute("UPDATE payees SET state = 'suspended' WHERE code = 'V-003'")
    await batching.pump().pass_once()
    assert await batching.rows("SELECT state, reason FROM transfers") == [
        ("void", "the payee is suspended")
    ]
    await pump_until(batching, batching.pump(), payments[:2], PaymentState.SETTLED)
    assert (await batching.payment(payments[2])).state is PaymentState.DENIED
    assert await batching.rows("SELECT state FROM transfers ORDER BY id") == [
        ("void",),
        ("settled",),
    ]
    await batching.execute(RESTORE)


async def test_a_batch_that_the_signer_refuses_is_cancelled_and_paid_singly(opened: Open) -> None:
    async with opened(Batching(pinned_by_signer=False)) as treasury:
        payments = await propose(treasury, 100, 200, 300)
        await pump_until(treasury, treasury.pump(pace=IMPATIENT), payments, PaymentState.SETTLED)
        assert await treasury.rows(
            "SELECT state, disperse IS NOT NULL FROM transfers ORDER BY id"
        ) == [("void", True)] + 3 * [("settled", False)]
        # Nothing of the batch itself was signed.
        assert await treasury.rows(
            "SELECT DISTINCT a.kind FROM attempts a JOIN transfers t ON t.id = a.transfer_id"
            " WHERE t.disperse IS NOT NULL"
        ) == [("cancel",)]


async def test_no_batch_is_signed_while_the_contract_is_not_the_pinned_one(opened: Open) -> None:
    async with opened(Batching(code_hash=bytes(32))) as treasury:
        await propose(treasury, 100, 200)
        pump = treasury.pump()
        await until(treasury, pump, "slotted")
        await pump.pass_once()
        assert await treasury.rows("SELECT state, reason FROM transfers") == [
            (
                "slotted",
                f"the code at {treasury.rail.disperse} is not the pinned disperse contract:"
                " no batch is signed",
            )
        ]
        assert await treasury.rows("SELECT count(*) FROM attempts") == [(0,)]
