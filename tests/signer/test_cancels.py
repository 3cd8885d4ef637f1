"""A cancel passes where money stops, and ends a slot for every payment, for ever."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from eth_account import Account

from signer.freeze import FrozenBy
from signer.limits import Limits
from signer.limits_file import limits_yaml
from signer.protocol import Signed
from tests.support.clock import START, ManualClock
from tests.support.signer import (
    CHAIN_ID,
    FEES,
    GWEI,
    LIMITS,
    STRANGER,
    TREASURY,
    bumped,
    cancel_request,
    code,
    make_home,
    open_desk,
    order,
    sign_request,
)
from treasurer.kernel.signing import SignCancel
from treasurer.kernel.transaction import CANCEL_GAS, FeeTerms, cancel_transaction

SOON = START + timedelta(hours=2)
PAID = order(not_after=SOON)
NOTHING = replace(LIMITS, destinations=(), tokens=(), spenders=(), max_fee_per_gas_wei=1)


def test_a_cancel_is_a_self_send_of_nothing(tmp_path: Path) -> None:
    with open_desk(make_home(tmp_path / "signer"), ManualClock()) as desk:
        desk.answer(sign_request(0, PAID))
        (answer,) = desk.answer(cancel_request(0, attempt=2, fees=bumped(FEES)))
    assert isinstance(answer, Signed)
    terms = replace(bumped(FEES), gas_limit=CANCEL_GAS)
    expected = cancel_transaction(chain_id=CHAIN_ID, sender=TREASURY, nonce=0, fees=terms)
    assert answer.call_digest == expected.call_digest.hex()
    assert Account.recover_transaction(bytes.fromhex(answer.raw)).lower() == TREASURY


def test_it_is_signed_frozen_expired_revoked_and_with_lower_caps(tmp_path: Path) -> None:
    clock = ManualClock()
    home = make_home(tmp_path / "signer")
    with open_desk(home, clock) as desk:
        desk.answer(sign_request(0, PAID))
    home.limits.write_text(limits_yaml(NOTHING))
    clock.advance(days=30)
    with open_desk(home, clock) as desk:
        desk.freeze.freeze(FrozenBy.HOST, "investigation")
        bump = sign_request(0, PAID, attempt=2, fees=bumped(FEES))
        assert code(desk.answer(bump)[0]) == "FROZEN"
        (cancel,) = desk.answer(cancel_request(0, attempt=2, fees=bumped(FEES)))
        assert isinstance(cancel, Signed)
        # The least that a node asks for, and no more: the cap was lowered after all.
        dearer = cancel_request(0, attempt=3, fees=bumped(bumped(FEES)))
        assert code(desk.answer(dearer)[0]) == "FEE_OVER_CAP"


def test_nothing_else_is_signed_for_the_slot_ever_after(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer")
    fees = [FEES]
    while len(fees) < 6:
        fees.append(bumped(fees[-1]))
    with open_desk(home, ManualClock()) as desk:
        (payment,) = desk.answer(sign_request(0, PAID))
        (cancel,) = desk.answer(cancel_request(0, attempt=2, fees=fees[1]))
        assert isinstance(cancel, Signed)
    with open_desk(home, ManualClock()) as desk:
        for attempt in (3, 4):
            bump = sign_request(0, PAID, attempt=attempt, fees=fees[attempt - 1])
            assert code(desk.answer(bump)[0]) == "SLOT_CANCELLED"
        (higher,) = desk.answer(cancel_request(0, attempt=3, fees=fees[2]))
        assert isinstance(higher, Signed)
        assert higher.call_digest == cancel.call_digest
        assert code(desk.answer(sign_request(0, PAID, attempt=4, fees=fees[3]))[0]) == (
            "SLOT_CANCELLED"
        )
        # What was signed before is out of our hands, so it is still told.
        assert desk.answer(sign_request(0, PAID)) == [payment]
        kinds = [record.kind.value for record in desk.desk.signed_for((CHAIN_ID, TREASURY, 0))]
    assert kinds == ["payment", "cancel", "cancel"]


def test_a_slot_that_was_cancelled_first_takes_no_payment(tmp_path: Path) -> None:
    with open_desk(make_home(tmp_path / "signer"), ManualClock()) as desk:
        assert isinstance(desk.answer(cancel_request(3))[0], Signed)
        assert code(desk.answer(sign_request(3, PAID))[0]) == "JOURNAL_CONFLICT"
        later = sign_request(3, PAID, attempt=2, fees=bumped(FEES))
        assert code(desk.answer(later)[0]) == "SLOT_CANCELLED"
        assert isinstance(desk.answer(sign_request(2, PAID))[0], Signed)


def test_it_outbids_the_highest_attempt_on_both_fees_within_its_own_cap(tmp_path: Path) -> None:
    dear = FeeTerms(70_000, 100 * GWEI, 10 * GWEI)
    limits = replace(LIMITS, cancel_max_fee_per_gas_wei=150 * GWEI)
    with open_desk(make_home(tmp_path / "signer", limits), ManualClock()) as desk:
        desk.answer(sign_request(0, PAID, fees=dear))
        needed = dear.replacement(gas_limit=CANCEL_GAS)
        for low in (
            replace(needed, max_fee_per_gas_wei=needed.max_fee_per_gas_wei - 1),
            replace(needed, max_priority_fee_per_gas_wei=needed.max_priority_fee_per_gas_wei - 1),
        ):
            assert code(desk.answer(cancel_request(0, attempt=2, fees=low))[0]) == "BUMP_TOO_SMALL"
        over = replace(needed, max_fee_per_gas_wei=150 * GWEI + 1)
        assert code(desk.answer(cancel_request(0, attempt=2, fees=over))[0]) == "FEE_OVER_CAP"
        at_the_cap = replace(needed, max_fee_per_gas_wei=150 * GWEI)
        answer = desk.answer(cancel_request(0, attempt=2, fees=at_the_cap))[0]
        assert isinstance(answer, Signed)


def test_without_a_cap_of_its_own_a_cancel_may_offer_an_eighth_more(tmp_path: Path) -> None:
    with open_desk(make_home(tmp_path / "signer"), ManualClock()) as desk:
        over = replace(FEES, max_fee_per_gas_wei=112_500_000_001)
        assert code(desk.answer(cancel_request(0, fees=over))[0]) == "FEE_OVER_CAP"
        most = replace(FEES, max_fee_per_gas_wei=112_500_000_000)
        assert isinstance(desk.answer(cancel_request(0, fees=most))[0], Signed)


@pytest.mark.parametrize(
    ("request_", "limits", "expected"),
    [
        (cancel_request(16), LIMITS, "NONCE_TOO_FAR"),
        (cancel_request(0, attempt=2), LIMITS, "ATTEMPT_GAP"),
        (replace(cancel_request(0), fees=FEES), LIMITS, "GAS_OVER_CAP"),
        (replace(cancel_request(0), chain_id=1), LIMITS, "CHAIN_NOT_PERMITTED"),
        (replace(cancel_request(0), sender=STRANGER), LIMITS, "WALLET_UNKNOWN"),
        (cancel_request(0), replace(LIMITS, wallets=()), "WALLET_UNKNOWN"),
        (
            cancel_request(0, fees=replace(FEES, max_priority_fee_per_gas_wei=21 * GWEI)),
            LIMITS,
            "FEES_INVALID",
        ),
    ],
)
def test_what_is_no_slot_of_ours_is_not_cancelled(
    tmp_path: Path, request_: SignCancel, limits: Limits, expected: str
) -> None:
    home = make_home(tmp_path / "signer", limits)
    before = home.journal.read_bytes()
    with open_desk(home, ManualClock()) as desk:
        assert code(desk.answer(request_)[0]) == expected
    assert home.journal.read_bytes() == before


def test_a_gap_may_be_filled_and_a_slot_before_enrolment_not(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer", next_nonces={(CHAIN_ID, TREASURY): 4})
    with open_desk(home, ManualClock()) as desk:
        desk.answer(sign_request(6, PAID))
        assert code(desk.answer(cancel_request(3))[0]) == "NONCE_BEFORE_ENROLMENT"
        assert isinstance(desk.answer(cancel_request(4))[0], Signed)
