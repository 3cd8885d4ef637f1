"""Batches: each order is judged by itself, the sum by the window, all in one record."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from signer.protocol import Signed
from tests.support.clock import START, ManualClock
from tests.support.signer import (
    CHAIN_ID,
    DISPERSE,
    FEES,
    LIMITS,
    QORVANE,
    STRANGER,
    TREASURY,
    batch_request,
    bumped,
    cancel_request,
    code,
    make_home,
    open_desk,
    order,
    sign_request,
)
from treasurer.kernel.batch import MOST_ORDERS, Batch
from treasurer.kernel.order import ExecutionOrder
from treasurer.kernel.transaction import batch_transaction

SOON = START + timedelta(hours=2)


def paid(count: int = 3, **terms: object) -> list[ExecutionOrder]:
    return [order(payment=number, not_after=SOON, **terms) for number in range(count)]  # type: ignore[arg-type]


def test_a_batch_is_one_slot_one_record_and_one_call(tmp_path: Path) -> None:
    wanted = [*paid(2), order(payment=9, recipient=QORVANE, amount_minor=7, not_after=SOON)]
    with open_desk(make_home(tmp_path / "signer"), ManualClock()) as desk:
        (answer,) = desk.answer(batch_request(0, wanted))
        (record,) = desk.desk.signed_for((CHAIN_ID, TREASURY, 0))
        assert desk.answer(batch_request(0, wanted)) == [answer]
    assert isinstance(answer, Signed)
    call = batch_transaction(
        Batch(tuple(wanted)), disperse=DISPERSE, sender=TREASURY, nonce=0, fees=FEES
    )
    assert answer.call_digest == call.call_digest.hex()
    assert record.order_digests == tuple(each.digest.hex() for each in wanted)
    assert record.amount == "900000007"


def test_a_hundred_are_signed_with_the_gas_of_a_hundred(tmp_path: Path) -> None:
    wanted = paid(MOST_ORDERS, amount_minor=1_000_000)
    gas = replace(FEES, gas_limit=200_000 * MOST_ORDERS)
    with open_desk(make_home(tmp_path / "signer"), ManualClock()) as desk:
        over = replace(gas, gas_limit=gas.gas_limit + 1)
        assert code(desk.answer(batch_request(0, wanted, fees=over))[0]) == "GAS_OVER_CAP"
        assert isinstance(desk.answer(batch_request(0, wanted, fees=gas))[0], Signed)


def one_of(change: ExecutionOrder) -> Sequence[ExecutionOrder]:
    return [*paid(2), change]


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        (one_of(order(payment=9, recipient=STRANGER, not_after=SOON)), "DESTINATION_NOT_ENROLLED"),
        (one_of(order(payment=9, amount_minor=10_000_000_001, not_after=SOON)), "AMOUNT_OVER_CAP"),
        (one_of(order(payment=9, wallets=(STRANGER,), not_after=SOON)), "WALLET_NOT_PERMITTED"),
        (one_of(order(payment=9, not_after=START - timedelta(seconds=1))), "ORDER_EXPIRED"),
        (one_of(order(payment=9, token=STRANGER, not_after=SOON)), "BATCH_MIXED"),
        (one_of(order(payment=1, not_after=SOON)), "BATCH_REPEATED"),
        (paid(token_decimals=18), "TOKEN_DECIMALS"),
        (paid(token=STRANGER), "TOKEN_NOT_PINNED"),
        (paid(3, amount_minor=8_333_333_334), "WINDOW_OVER_CAP"),
        ([], "BATCH_SIZE"),
    ],
)
def test_one_bad_order_refuses_the_whole(
    tmp_path: Path, orders: Sequence[ExecutionOrder], expected: str
) -> None:
    home = make_home(tmp_path / "signer")
    before = home.journal.read_bytes()
    with open_desk(home, ManualClock()) as desk:
        assert code(desk.answer(batch_request(0, orders))[0]) == expected
    assert home.journal.read_bytes() == before


def test_the_contract_is_pinned_and_named_for_batches_only(tmp_path: Path) -> None:
    with open_desk(make_home(tmp_path / "signer"), ManualClock()) as desk:
        elsewhere = batch_request(0, paid(), disperse=STRANGER)
        assert code(desk.answer(elsewhere)[0]) == "SPENDER_NOT_PINNED"
        assert code(desk.answer(batch_request(0, paid(), disperse=None))[0]) == (
            "BATCH_WITHOUT_CONTRACT"
        )
        single = replace(sign_request(0, paid()[0]), disperse=DISPERSE)
        assert code(desk.answer(single)[0]) == "BATCH_SIZE"
    foreign = tuple(replace(spender, chain_id=1) for spender in LIMITS.spenders)
    other_chain = make_home(tmp_path / "other", replace(LIMITS, spenders=foreign))
    with open_desk(other_chain, ManualClock()) as desk:
        assert code(desk.answer(batch_request(0, paid()))[0]) == "SPENDER_NOT_PINNED"


def test_the_sum_counts_in_the_window_once(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer")
    most = paid(3, amount_minor=8_000_000_000)
    with open_desk(home, ManualClock()) as desk:
        assert isinstance(desk.answer(batch_request(0, most))[0], Signed)
        again = batch_request(0, most, attempt=2, fees=bumped(FEES))
        assert isinstance(desk.answer(again)[0], Signed)
    with open_desk(home, ManualClock()) as desk:
        rest = order(payment=9, amount_minor=1_000_000_001, not_after=SOON)
        assert code(desk.answer(sign_request(1, rest))[0]) == "WINDOW_OVER_CAP"
        exact = order(payment=9, amount_minor=1_000_000_000, not_after=SOON)
        assert isinstance(desk.answer(sign_request(1, exact))[0], Signed)


def test_a_later_attempt_is_the_same_batch_in_the_same_order(tmp_path: Path) -> None:
    wanted = paid()
    with open_desk(make_home(tmp_path / "signer"), ManualClock()) as desk:
        assert isinstance(desk.answer(batch_request(0, wanted))[0], Signed)
        for other in (wanted[::-1], wanted[:2], [*wanted, order(payment=9, not_after=SOON)]):
            answer = desk.answer(batch_request(0, other, attempt=2, fees=bumped(FEES)))[0]
            assert code(answer) == "SLOT_CALL_CHANGED"
            assert code(desk.answer(batch_request(0, other))[0]) == "JOURNAL_CONFLICT"
        single = sign_request(0, wanted[0], attempt=2, fees=bumped(FEES))
        assert code(desk.answer(single)[0]) == "SLOT_CALL_CHANGED"
        assert isinstance(desk.answer(cancel_request(0, attempt=2, fees=bumped(FEES)))[0], Signed)
        bump = batch_request(0, wanted, attempt=3, fees=bumped(bumped(FEES)))
        assert code(desk.answer(bump)[0]) == "SLOT_CANCELLED"
