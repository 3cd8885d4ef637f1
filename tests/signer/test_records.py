"""The journal's meaning: old records are read, and no sequence of requests bends the rules."""

import contextlib
import itertools
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.journal import Journal
from signer.keys import Keystore
from signer.limits_file import limits_yaml
from signer.protocol import Answer, Refusal, Signed
from signer.records import AttemptKind, SignedRecords, WalletRecord
from signer.settings import Home
from tests.support.clock import START, ManualClock
from tests.support.signer import (
    CHAIN_ID,
    FEES,
    HALDEN,
    POOL,
    TOKEN,
    TREASURY,
    TREASURY_KEY,
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
from treasurer.kernel.signing import SignRequest

PAID = order(not_after=START)
OLD_PAYMENT = {
    "kind": "payment",
    "chain_id": CHAIN_ID,
    "wallet": TREASURY,
    "nonce": 0,
    "attempt": 1,
    "signed_at_s": 1795341600,
    "order_digest": PAID.digest.hex(),
    "call_digest": "983913cc043221cc613402cfbcda554a19c54f9c7de17ff597f3ad982856f587",
    "unsigned_hash": "4bf325f452a7de68f521a294d4f5dba45cfbc6f44c0d8f15ca55761e7889b82c",
    "token": TOKEN,
    "recipient": HALDEN,
    "amount_minor": "450000000",
    "gas_limit": 70000,
    "max_fee_per_gas_wei": 20000000000,
    "max_priority_fee_per_gas_wei": 1000000000,
    "transaction_hash": "cf00bf2b20cc151dffbb5f2f2439d32f9d43ace5b35b738f96f13f3c4ff9c891",
    "raw": (
        "02f8b3827a6980843b9aca008504a817c80083011170945fbdb2315678afecb367f032d93f642f64"
        "180aa380b844a9059cbb00000000000000000000000070997970c51812dc3a010c7d01b50e0d17dc"
        "79c8000000000000000000000000000000000000000000000000000000001ad27480c080a0f3a8d7"
        "b79854bebd391023b2718b4c68a715a4b0fb2e33e8b854069abce16008a055a853920a85889db966"
        "26d492b56c88e9b567012ce5f2b1045ef9ceb134705a"
    ),
}
"""As the first format wrote it, byte for byte but for the spaces of JSON."""


def test_records_of_the_first_format_are_read(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer")
    with contextlib.closing(Journal.open(home.journal)) as journal:
        list(journal.replay())
        journal.append(json.dumps(OLD_PAYMENT, separators=(",", ":")).encode())
        journal.commit()
    with open_desk(home, ManualClock()) as desk:
        (record,) = desk.desk.signed_for((CHAIN_ID, TREASURY, 0))
        assert (record.kind, record.asset, record.amount) == (
            AttemptKind.PAYMENT,
            TOKEN,
            "450000000",
        )
        assert record.order_digests == (PAID.digest.hex(),)
        (same,) = desk.answer(sign_request(0, PAID))
        assert isinstance(same, Signed)
        assert same.raw == OLD_PAYMENT["raw"]
        conflict = sign_request(0, order(payment=2, not_after=START))
        assert code(desk.answer(conflict)[0]) == "JOURNAL_CONFLICT"
        assert isinstance(desk.answer(cancel_request(0, attempt=2, fees=bumped(FEES)))[0], Signed)
        full = [order(payment=n, amount_minor=8_183_333_334, not_after=START) for n in (7, 8, 9)]
        assert code(desk.answer(batch_request(1, full))[0]) == "WINDOW_OVER_CAP"


def test_a_record_of_an_unknown_kind_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "journal.bin"
    Journal.create(path)
    with contextlib.closing(Journal.open(path)) as journal:
        SignedRecords(journal).enroll(WalletRecord(CHAIN_ID, TREASURY, 0))
        journal.append(json.dumps({**OLD_PAYMENT, "kind": "sweep"}).encode())
        journal.commit()
    with (
        contextlib.closing(Journal.open(path)) as journal,
        pytest.raises(ValueError, match="'sweep'"),
    ):
        SignedRecords(journal)


KEYS = Keystore([TREASURY_KEY])
FEE_STEPS = [FEES]
while len(FEE_STEPS) < 6:
    FEE_STEPS.append(bumped(FEE_STEPS[-1]))
ORDERS = [order(payment=number, not_after=START, amount_minor=number + 1) for number in range(3)]
fees = st.sampled_from(FEE_STEPS)
nonces = st.integers(0, 2)
attempts = st.integers(1, 5)
requests = st.one_of(
    st.builds(
        lambda nonce, wanted, attempt, terms: sign_request(
            nonce, wanted, attempt=attempt, fees=terms
        ),
        nonces,
        st.sampled_from(ORDERS),
        attempts,
        fees,
    ),
    st.builds(
        lambda nonce, wanted, attempt, terms: batch_request(
            nonce, wanted, attempt=attempt, fees=terms
        ),
        nonces,
        st.permutations(ORDERS),
        attempts,
        fees,
    ),
    st.builds(
        lambda nonce, attempt, terms: cancel_request(nonce, attempt=attempt, fees=terms),
        nonces,
        attempts,
        fees,
    ),
    st.builds(
        lambda nonce, attempt, terms: allowance_request(nonce, attempt=attempt, fees=terms),
        nonces,
        attempts,
        fees,
    ),
    st.builds(
        lambda nonce, attempt, terms: top_up_request(nonce, attempt=attempt, fees=terms),
        nonces,
        attempts,
        fees,
    ),
)


def check_slots(desk: OpenDesk) -> None:
    for nonce in range(3):
        records = desk.desk.signed_for((CHAIN_ID, TREASURY, nonce))
        assert [record.attempt for record in records] == list(range(1, len(records) + 1))
        kinds = [record.kind for record in records]
        calls = {record.call_digest for record in records if record.kind != AttemptKind.CANCEL}
        cancels = {record.call_digest for record in records if record.kind == AttemptKind.CANCEL}
        assert len(calls) <= 1
        assert len(cancels) <= 1
        # Whatever stands behind the first cancel is a cancel.
        first = kinds.index(AttemptKind.CANCEL) if AttemptKind.CANCEL in kinds else len(kinds)
        assert set(kinds[first:]) <= {AttemptKind.CANCEL}
        for before, after in itertools.pairwise(records):
            assert after.max_fee_per_gas_wei * 8 >= before.max_fee_per_gas_wei * 9
            assert after.max_priority_fee_per_gas_wei * 8 >= before.max_priority_fee_per_gas_wei * 9


@given(st.lists(st.tuples(requests, st.booleans()), min_size=5, max_size=40))
@settings(max_examples=50, deadline=None)
def test_whatever_is_asked_in_whatever_order(asked: list[tuple[SignRequest, bool]]) -> None:
    """One call a slot, nothing after a cancel, and the same bytes for the same request."""
    given_out: dict[SignRequest, Answer] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.limits.write_text(limits_yaml(POOL))
        Journal.create(home.journal)
        with contextlib.closing(Journal.open(home.journal)) as journal:
            records = SignedRecords(journal)
            records.enroll(WalletRecord(CHAIN_ID, TREASURY, 0))
            records.commit()
        with contextlib.ExitStack() as stack:
            desk = stack.enter_context(open_desk(home, ManualClock(), KEYS))
            for request, restart in asked:
                if restart:
                    stack.pop_all().close()
                    desk = stack.enter_context(open_desk(home, ManualClock(), KEYS))
                (answer,) = desk.answer(request)
                if request in given_out:
                    assert answer == given_out[request]
                if isinstance(answer, Signed):
                    given_out[request] = answer
            check_slots(desk)
            for request, answer in given_out.items():
                assert desk.answer(request) == [answer]
            taken = {
                answer.transaction_hash
                for answer in given_out.values()
                if not isinstance(answer, Refusal)
            }
            assert len(taken) == len(given_out)
