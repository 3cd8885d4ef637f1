"""Allowances and top-ups: exact, capped, and only among what is pinned or our own."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from signer.freeze import FrozenBy
from signer.limits import Limits
from signer.protocol import Signed
from tests.support.clock import START, ManualClock
from tests.support.signer import (
    CHAIN_ID,
    FEES,
    POOL,
    SECOND_WALLET,
    STRANGER,
    TREASURY,
    allowance_order,
    allowance_request,
    bumped,
    cancel_request,
    code,
    make_home,
    open_desk,
    order,
    sign_request,
    top_up_order,
    top_up_request,
)
from treasurer.kernel.signing import SignRequest, SignTopUp
from treasurer.kernel.transaction import allowance_transaction, top_up_transaction

NO_TOP_UPS = replace(POOL, top_ups=())
NO_SPENDERS = replace(POOL, spenders=())
NO_ALLOWANCE = replace(POOL, tokens=(replace(POOL.tokens[0], allowance_minor=0),))
PAYMENT = order(not_after=START)


def test_both_are_signed_as_their_orders_say(tmp_path: Path) -> None:
    with open_desk(make_home(tmp_path / "signer", POOL), ManualClock()) as desk:
        allowance, top_up = desk.answer(allowance_request(0), top_up_request(1))
        first, second = (desk.desk.signed_for((CHAIN_ID, TREASURY, nonce))[0] for nonce in range(2))
    assert isinstance(allowance, Signed)
    assert isinstance(top_up, Signed)
    expected = allowance_transaction(allowance_order(), nonce=0, fees=FEES)
    assert allowance.call_digest == expected.call_digest.hex()
    expected = top_up_transaction(top_up_order(), nonce=1, fees=FEES)
    assert top_up.call_digest == expected.call_digest.hex()
    assert (first.kind.value, first.order_digests) == (
        "allowance",
        (allowance_order().digest.hex(),),
    )
    assert (second.kind.value, second.asset, second.amount) == ("top_up", "native", str(10**16))


@pytest.mark.parametrize(
    ("request_", "limits", "expected"),
    [
        (allowance_request(0, amount_minor=1_000_000_001), POOL, "ALLOWANCE_OVER_CAP"),
        (allowance_request(0, amount_minor=1), NO_ALLOWANCE, "ALLOWANCE_OVER_CAP"),
        (allowance_request(0, spender=STRANGER), POOL, "SPENDER_NOT_PINNED"),
        (allowance_request(0), NO_SPENDERS, "SPENDER_NOT_PINNED"),
        (allowance_request(0, token=STRANGER), POOL, "TOKEN_NOT_PINNED"),
        (allowance_request(0, token_decimals=18), POOL, "TOKEN_DECIMALS"),
        (allowance_request(0, wallet=STRANGER), POOL, "WALLET_UNKNOWN"),
        (top_up_request(0, recipient=STRANGER), POOL, "TOP_UP_STRANGER"),
        (top_up_request(0, wallet=STRANGER), POOL, "WALLET_UNKNOWN"),
        (top_up_request(0, amount_wei=10**17 + 1), POOL, "AMOUNT_OVER_CAP"),
        (top_up_request(0), NO_TOP_UPS, "TOP_UP_NOT_PERMITTED"),
        # An order of one kind in a request of the other.
        (SignTopUp(allowance_request(0).order, 0, 1, FEES), POOL, "ORDER_VERSION"),
        (SignTopUp(PAYMENT.canonical_bytes(), 0, 1, FEES), POOL, "ORDER_VERSION"),
    ],
)
def test_refusals_leave_no_record(
    tmp_path: Path, request_: SignRequest, limits: Limits, expected: str
) -> None:
    home = make_home(tmp_path / "signer", limits)
    before = home.journal.read_bytes()
    with open_desk(home, ManualClock()) as desk:
        assert code(desk.answer(request_)[0]) == expected
    assert home.journal.read_bytes() == before


@pytest.mark.parametrize(
    "request_", [allowance_request(0), top_up_request(0)], ids=lambda r: r.__class__.__name__
)
def test_freeze_and_deadline_stop_both(tmp_path: Path, request_: SignRequest) -> None:
    clock = ManualClock()
    with open_desk(make_home(tmp_path / "signer", POOL), clock) as desk:
        desk.freeze.freeze(FrozenBy.CALLER, "stop")
        assert code(desk.answer(request_)[0]) == "FROZEN"
        desk.freeze.unfreeze(FrozenBy.CALLER)
        clock.advance(hours=2, seconds=1)
        assert code(desk.answer(request_)[0]) == "ORDER_EXPIRED"
        clock.advance(seconds=-1)
        assert isinstance(desk.answer(request_)[0], Signed)


def test_an_allowance_may_always_be_taken_back(tmp_path: Path) -> None:
    with open_desk(make_home(tmp_path / "signer", NO_ALLOWANCE), ManualClock()) as desk:
        assert isinstance(desk.answer(allowance_request(0, amount_minor=0))[0], Signed)


def test_an_allowance_takes_nothing_from_the_window_of_payments(tmp_path: Path) -> None:
    full = [order(payment=n, amount_minor=8_000_000_000, not_after=START) for n in range(3)]
    with open_desk(make_home(tmp_path / "signer", POOL), ManualClock()) as desk:
        answers = desk.answer(
            allowance_request(0, amount_minor=1_000_000_000),
            *(sign_request(nonce + 1, each) for nonce, each in enumerate(full)),
        )
    assert all(isinstance(answer, Signed) for answer in answers)


def test_top_ups_have_a_window_of_their_own(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_desk(make_home(tmp_path / "signer", POOL), clock) as desk:
        most = [
            top_up_request(nonce, top_up_id=UUID(int=nonce), amount_wei=10**17)
            for nonce in range(2)
        ]
        assert all(isinstance(answer, Signed) for answer in desk.answer(*most))
        assert code(desk.answer(top_up_request(2, amount_wei=1))[0]) == "WINDOW_OVER_CAP"
        assert isinstance(desk.answer(sign_request(2, PAYMENT))[0], Signed)


def test_slots_of_all_kinds_keep_their_call_and_can_be_cancelled(tmp_path: Path) -> None:
    with open_desk(make_home(tmp_path / "signer", POOL), ManualClock()) as desk:
        desk.answer(top_up_request(0), allowance_request(1))
        more = top_up_request(0, attempt=2, fees=bumped(FEES), amount_wei=5)
        assert code(desk.answer(more)[0]) == "SLOT_CALL_CHANGED"
        payment = sign_request(1, PAYMENT, attempt=2, fees=bumped(FEES))
        assert code(desk.answer(payment)[0]) == "SLOT_CALL_CHANGED"
        same = top_up_request(0, attempt=2, fees=bumped(FEES))
        assert isinstance(desk.answer(same)[0], Signed)
        cancel = cancel_request(1, attempt=2, fees=bumped(FEES))
        assert isinstance(desk.answer(cancel)[0], Signed)
        again = allowance_request(1, attempt=3, fees=bumped(bumped(FEES)))
        assert code(desk.answer(again)[0]) == "SLOT_CANCELLED"


def test_a_top_up_may_go_the_other_way(tmp_path: Path) -> None:
    back = top_up_request(0, wallet=SECOND_WALLET, recipient=TREASURY)
    with open_desk(make_home(tmp_path / "signer", POOL), ManualClock()) as desk:
        assert isinstance(desk.answer(back)[0], Signed)
