"""What is signed and what is refused, on real files with an injected clock."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from eth_account import Account

from signer.freeze import FrozenBy
from signer.home import adopt_wallet, enroll_destination
from signer.limits import Isolation, Limits
from signer.limits_file import limits_yaml
from signer.protocol import Signed
from tests.support.clock import START, ManualClock
from tests.support.signer import (
    CHAIN_ID,
    FEES,
    GWEI,
    LIMITS,
    QORVANE,
    STRANGER,
    TOKEN,
    TREASURY,
    bumped,
    code,
    make_home,
    open_desk,
    order,
    sign_request,
)
from treasurer.kernel.order import ExecutionOrder
from treasurer.kernel.signing import SignPayment, SignRequest
from treasurer.kernel.transaction import payment_transaction

SOON = START + timedelta(hours=2)


def paid(**terms: object) -> ExecutionOrder:
    return order(not_after=SOON, **terms)  # type: ignore[arg-type]


def refusal(
    folder: Path, request: SignRequest, *, limits: Limits = LIMITS, caller_uid: int = 1000
) -> str:
    """The code by which a fresh signer refuses its first request."""
    home = make_home(folder / "signer", limits)
    before = home.journal.read_bytes()
    with open_desk(home, ManualClock()) as desk:
        (answer,) = desk.answer(request, caller_uid=caller_uid)
    assert home.journal.read_bytes() == before
    return code(answer)


def test_the_signed_bytes_are_the_order(tmp_path: Path) -> None:
    wanted = paid(amount_minor=450_000_000)
    with open_desk(make_home(tmp_path / "signer"), ManualClock()) as desk:
        (answer,) = desk.answer(sign_request(3, wanted))
    assert isinstance(answer, Signed)
    expected = payment_transaction(wanted, sender=TREASURY, nonce=3, fees=FEES)
    assert answer.call_digest == expected.call_digest.hex()
    raw = bytes.fromhex(answer.raw)
    assert Account.recover_transaction(raw).lower() == TREASURY
    assert expected.data in raw
    assert bytes.fromhex(TOKEN[2:]) in raw


def test_the_same_request_returns_the_recorded_bytes_whatever_has_changed(tmp_path: Path) -> None:
    clock = ManualClock()
    home = make_home(tmp_path / "signer")
    request = sign_request(0, paid())
    with open_desk(home, clock) as desk:
        (first,) = desk.answer(request)
    home.limits.write_text(limits_yaml(replace(LIMITS, destinations=(), max_fee_per_gas_wei=1)))
    clock.advance(days=30)
    with open_desk(home, clock) as desk:
        desk.freeze.freeze(FrozenBy.HOST, "investigation")
        assert desk.answer(request) == [first]
        assert code(desk.answer(sign_request(1, paid(payment=2)))[0]) == "FROZEN"
    assert isinstance(first, Signed)


@pytest.mark.parametrize(
    "other",
    [
        sign_request(0, paid(amount_minor=450_000_001)),
        sign_request(0, paid(recipient=QORVANE)),
        sign_request(0, paid(), fees=bumped(FEES)),
        # The same call under another order (another payment's id): the digest differs.
        sign_request(0, paid(payment=2)),
    ],
    ids=["amount", "recipient", "fees", "payment"],
)
def test_other_content_for_a_signed_attempt_is_refused(tmp_path: Path, other: SignRequest) -> None:
    with open_desk(make_home(tmp_path / "signer"), ManualClock()) as desk:
        (first,) = desk.answer(sign_request(0, paid()))
        assert code(desk.answer(other)[0]) == "JOURNAL_CONFLICT"
        assert desk.answer(sign_request(0, paid())) == [first]


def test_a_conflict_within_one_batch_is_seen(tmp_path: Path) -> None:
    with open_desk(make_home(tmp_path / "signer"), ManualClock()) as desk:
        first, conflict, same = desk.answer(
            sign_request(0, paid()), sign_request(0, paid(payment=2)), sign_request(0, paid())
        )
    assert isinstance(first, Signed)
    assert code(conflict) == "JOURNAL_CONFLICT"
    assert same == first


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (sign_request(0, paid(recipient=STRANGER)), "DESTINATION_NOT_ENROLLED"),
        (sign_request(0, paid(token=STRANGER)), "TOKEN_NOT_PINNED"),
        (sign_request(0, paid(token_decimals=18)), "TOKEN_DECIMALS"),
        (sign_request(0, paid(chain_id=1)), "CHAIN_NOT_PERMITTED"),
        (sign_request(0, paid(amount_minor=10_000_000_001)), "AMOUNT_OVER_CAP"),
        (sign_request(0, paid(wallets=(STRANGER,))), "WALLET_NOT_PERMITTED"),
        (sign_request(0, order(not_after=START - timedelta(seconds=1))), "ORDER_EXPIRED"),
        (sign_request(0, paid(), fees=replace(FEES, gas_limit=200_001)), "GAS_OVER_CAP"),
        (sign_request(0, paid(), fees=replace(FEES, gas_limit=20_999)), "GAS_OVER_CAP"),
        (
            sign_request(0, paid(), fees=replace(FEES, max_fee_per_gas_wei=100 * GWEI + 1)),
            "FEE_OVER_CAP",
        ),
        (
            sign_request(0, paid(), fees=replace(FEES, max_priority_fee_per_gas_wei=21 * GWEI)),
            "FEES_INVALID",
        ),
        (sign_request(0, paid(), attempt=2), "ATTEMPT_GAP"),
        (sign_request(16, paid()), "NONCE_TOO_FAR"),
    ],
)
def test_refusals_leave_no_record(tmp_path: Path, request_: SignRequest, expected: str) -> None:
    assert refusal(tmp_path, request_) == expected


def test_limits_are_inclusive(tmp_path: Path) -> None:
    at_the_cap = sign_request(
        15,
        order(not_after=START, amount_minor=10_000_000_000),
        fees=replace(FEES, gas_limit=200_000, max_fee_per_gas_wei=100 * GWEI),
    )
    with open_desk(make_home(tmp_path / "signer"), ManualClock()) as desk:
        assert isinstance(desk.answer(at_the_cap)[0], Signed)


def test_bytes_that_are_no_canonical_order_are_refused(tmp_path: Path) -> None:
    canonical = paid().canonical_bytes()
    hostile = [
        b"",
        b"\x02" + canonical[1:],
        canonical + b" ",
        b"\x01" + b"[" * 20_000,
        canonical.replace(b'"not_after":', b'"not_after":9999999999999999999'),
        canonical.replace(b'"amount_minor":"450000000"', b'"amount_minor":"-1"'),
    ]
    with open_desk(make_home(tmp_path / "signer"), ManualClock()) as desk:
        for content in hostile:
            answer = desk.answer(SignPayment((content,), TREASURY, 0, 1, FEES))[0]
            assert code(answer).startswith("ORDER_")


def test_a_wallet_outside_the_limits_is_refused_even_with_its_key(tmp_path: Path) -> None:
    assert refusal(tmp_path, sign_request(0, paid()), limits=replace(LIMITS, wallets=())) == (
        "WALLET_UNKNOWN"
    )


def test_rolling_window_counts_signed_slots_for_24_hours(tmp_path: Path) -> None:
    clock = ManualClock()
    far = START + timedelta(days=9)
    home = make_home(tmp_path / "signer")

    def request(nonce: int, amount_minor: int, **terms: object) -> SignRequest:
        wanted = order(payment=nonce, amount_minor=amount_minor, not_after=far)
        return sign_request(nonce, wanted, **terms)  # type: ignore[arg-type]

    with open_desk(home, clock) as desk:
        ten, again = desk.answer(request(0, 10_000_000_000), request(1, 10_000_000_000))
        assert isinstance(ten, Signed)
        assert isinstance(again, Signed)
        # A fee bump spends the same money and does not count twice.
        assert isinstance(
            desk.answer(request(0, 10_000_000_000, attempt=2, fees=bumped(FEES)))[0], Signed
        )
        assert code(desk.answer(request(2, 5_000_000_001))[0]) == "WINDOW_OVER_CAP"
    clock.advance(hours=23, seconds=3599)
    with open_desk(home, clock) as desk:
        assert code(desk.answer(request(2, 5_000_000_001))[0]) == "WINDOW_OVER_CAP"
        assert isinstance(desk.answer(request(2, 5_000_000_000))[0], Signed)
        clock.advance(seconds=1)
        assert isinstance(desk.answer(request(3, 10_000_000_000))[0], Signed)


def test_a_later_attempt_carries_the_same_order_and_higher_fees(tmp_path: Path) -> None:
    with open_desk(make_home(tmp_path / "signer"), ManualClock()) as desk:
        (first,) = desk.answer(sign_request(0, paid()))
        almost = replace(bumped(FEES), max_fee_per_gas_wei=FEES.max_fee_per_gas_wei * 9 // 8 - 1)
        low_tip = replace(bumped(FEES), max_priority_fee_per_gas_wei=GWEI)
        for fees in (FEES, almost, low_tip):
            answer = desk.answer(sign_request(0, paid(), attempt=2, fees=fees))[0]
            assert code(answer) == "BUMP_TOO_SMALL"
        other = sign_request(0, paid(recipient=QORVANE), attempt=2, fees=bumped(FEES))
        assert code(desk.answer(other)[0]) == "SLOT_CALL_CHANGED"
        (second,) = desk.answer(sign_request(0, paid(), attempt=2, fees=bumped(FEES)))
    assert isinstance(first, Signed)
    assert isinstance(second, Signed)
    assert second.call_digest == first.call_digest
    assert second.transaction_hash != first.transaction_hash


def test_one_user_for_signer_and_caller_means_development_chain_only(tmp_path: Path) -> None:
    token = replace(LIMITS.tokens[0], chain_id=1946)
    payees = tuple(replace(entry, chain_id=1946) for entry in LIMITS.destinations)
    minato = replace(LIMITS, chain_ids=(1946,), tokens=(token,), destinations=payees)
    request = sign_request(0, paid(chain_id=1946))
    assert refusal(tmp_path / "a", request, limits=minato) == "ISOLATION_MISSING"
    vouched = replace(minato, isolation=Isolation.EXTERNAL)
    for folder, limits, uid in (("b", minato, 1001), ("c", vouched, 1000)):
        with open_desk(make_home(tmp_path / folder, limits), ManualClock()) as desk:
            assert isinstance(desk.answer(request, caller_uid=uid)[0], Signed)


def test_a_lost_journal_freezes_the_wallet_until_it_is_adopted(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer")
    home.journal.unlink()
    with pytest.raises(FileNotFoundError), open_desk(home, ManualClock()):
        pass
    adopt_wallet(home.path, chain_id=1, wallet=TREASURY, next_nonce=5)
    with open_desk(home, ManualClock()) as desk:
        assert code(desk.answer(sign_request(5, paid()))[0]) == "JOURNAL_MISSING"
    adopt_wallet(home.path, chain_id=CHAIN_ID, wallet=TREASURY, next_nonce=5)
    with open_desk(home, ManualClock()) as desk:
        assert code(desk.answer(sign_request(4, paid()))[0]) == "NONCE_BEFORE_ENROLMENT"
        assert isinstance(desk.answer(sign_request(5, paid()))[0], Signed)


def test_enrolment_on_the_host_reaches_the_running_desk(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer")
    request = sign_request(0, paid(recipient=STRANGER))
    with open_desk(home, ManualClock()) as desk:
        assert code(desk.answer(request)[0]) == "DESTINATION_NOT_ENROLLED"
        enroll_destination(home.path, address=STRANGER, label="Brightmoor Cleaning Ltd")
        assert isinstance(desk.answer(request)[0], Signed)
        home.limits.write_text("version: 1")
        assert code(desk.answer(sign_request(1, paid()))[0]) == "LIMITS_UNREADABLE"
        assert isinstance(desk.answer(request)[0], Signed)
