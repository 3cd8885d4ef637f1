"""An order has one slot; another one is given only to who knows how the earlier ones ended."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from signer.protocol import Signed
from tests.support.clock import START, ManualClock
from tests.support.signer import (
    FEES,
    POOL,
    TREASURY,
    OpenDesk,
    allowance_request,
    batch_request,
    bumped,
    cancel_request,
    code,
    make_home,
    open_desk,
    order,
    sign_request,
    top_up_request,
)
from treasurer.kernel.order import ExecutionOrder
from treasurer.kernel.signing import EndedSlot, SignPayment

SOON = START + timedelta(hours=2)


def paid(payment: int = 1, **terms: object) -> ExecutionOrder:
    return order(payment=payment, not_after=SOON, **terms)  # type: ignore[arg-type]


def again(nonce: int, wanted: ExecutionOrder, *ended: tuple[int, bytes | None]) -> SignPayment:
    """The order once more, by a caller who says how earlier slots ended."""
    slots = tuple(EndedSlot(TREASURY, earlier, used_by) for earlier, used_by in ended)
    return SignPayment((wanted.canonical_bytes(),), TREASURY, nonce, 1, FEES, None, slots)


def signed_hash(answer: object) -> bytes:
    assert isinstance(answer, Signed), answer
    return bytes.fromhex(answer.transaction_hash)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[OpenDesk]:
    with open_desk(make_home(tmp_path / "signer", POOL), ManualClock()) as opened:
        yield opened


def test_who_forgot_the_earlier_slot_gets_no_other(desk: OpenDesk) -> None:
    """A database that was restored from an older copy: same order, next nonce, nothing known."""
    (first,) = desk.answer(sign_request(0, paid()))
    assert isinstance(first, Signed)
    assert code(desk.answer(sign_request(1, paid()))[0]) == "ORDER_IN_ANOTHER_SLOT"
    # Other bytes about the same payment are no way around it, and neither is a batch.
    assert code(desk.answer(sign_request(1, paid(amount_minor=9)))[0]) == "ORDER_IN_ANOTHER_SLOT"
    assert code(desk.answer(batch_request(1, [paid(2), paid()]))[0]) == "ORDER_IN_ANOTHER_SLOT"
    assert desk.answer(sign_request(0, paid())) == [first]


def test_a_cancel_in_the_journal_alone_proves_nothing(desk: OpenDesk) -> None:
    """The payment may have won against its cancel."""
    desk.answer(sign_request(0, paid()), cancel_request(0, attempt=2, fees=bumped(FEES)))
    assert code(desk.answer(sign_request(1, paid()))[0]) == "ORDER_IN_ANOTHER_SLOT"


def test_after_a_cancel_a_revert_or_a_stranger_it_is_signed_again(desk: OpenDesk) -> None:
    desk.answer(sign_request(0, paid()))
    cancel = signed_hash(desk.answer(cancel_request(0, attempt=2, fees=bumped(FEES)))[0])
    reverted = signed_hash(desk.answer(again(1, paid(), (0, cancel)))[0])
    # Every earlier slot counts, not the last one alone.
    assert code(desk.answer(again(2, paid(), (1, reverted)))[0]) == "ORDER_IN_ANOTHER_SLOT"
    signed_hash(desk.answer(again(2, paid(), (0, cancel), (1, reverted)))[0])
    ended = ((0, cancel), (1, reverted), (2, None))
    signed_hash(desk.answer(again(3, paid(), *ended))[0])


def test_a_transaction_of_another_slot_is_no_end(desk: OpenDesk) -> None:
    _, other = desk.answer(sign_request(0, paid()), sign_request(1, paid(2)))
    answers = desk.answer(
        again(2, paid(), (0, signed_hash(other))), again(2, paid(), (0, b"\x11" * 32))
    )
    assert [code(answer) for answer in answers] == ["ORDER_IN_ANOTHER_SLOT"] * 2


def test_payments_of_a_reverted_batch_go_alone(desk: OpenDesk) -> None:
    wanted = [paid(1), paid(2)]
    batch = signed_hash(desk.answer(batch_request(0, wanted))[0])
    assert code(desk.answer(sign_request(1, wanted[0]))[0]) == "ORDER_IN_ANOTHER_SLOT"
    for nonce, each in enumerate(wanted, start=1):
        signed_hash(desk.answer(again(nonce, each, (0, batch)))[0])


def test_the_slot_that_was_left_gets_no_later_attempt_but_its_cancel(desk: OpenDesk) -> None:
    first = signed_hash(desk.answer(sign_request(0, paid()))[0])
    signed_hash(desk.answer(again(1, paid(), (0, first)))[0])
    bump = sign_request(0, paid(), attempt=2, fees=bumped(FEES))
    assert code(desk.answer(bump)[0]) == "ORDER_IN_ANOTHER_SLOT"
    signed_hash(desk.answer(sign_request(1, paid(), attempt=2, fees=bumped(FEES)))[0])
    signed_hash(desk.answer(cancel_request(0, attempt=2, fees=bumped(FEES)))[0])


def test_allowances_and_top_ups_have_one_slot_for_good(desk: OpenDesk) -> None:
    for request in (allowance_request, top_up_request):
        signed_hash(desk.answer(request(0 if request is allowance_request else 1))[0])
        assert code(desk.answer(request(2))[0]) == "ORDER_IN_ANOTHER_SLOT"


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer")
    with open_desk(home, ManualClock()) as desk:
        desk.answer(sign_request(0, paid()))
    with open_desk(home, ManualClock()) as desk:
        assert code(desk.answer(sign_request(1, paid()))[0]) == "ORDER_IN_ANOTHER_SLOT"
