"""Making and changing a signer's folder on its host."""

from dataclasses import replace
from pathlib import Path

import pytest

from signer.home import adopt_wallet, create_home, enroll_destination
from signer.keys import DEVELOPMENT_SCRYPT_N
from signer.limits_file import parse_limits
from signer.protocol import Refusal, Signed
from tests.support.clock import START, ManualClock
from tests.support.signer import (
    CHAIN_ID,
    HALDEN,
    LIMITS,
    STRANGER,
    TREASURY,
    TREASURY_KEY,
    make_home,
    open_desk,
    order,
    sign_request,
)
from treasurer.kernel.errors import Conflict, InvalidInput


def test_a_home_is_made_once(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer")
    before = {path.name: path.read_bytes() for path in home.path.iterdir() if path.is_file()}
    assert set(before) == {
        "head-key.pem",
        "heads.bin",
        "journal.bin",
        "limits.yaml",
        "passphrase",
    }
    with pytest.raises(Conflict, match="SIGNER_HOME_EXISTS"):
        make_home(home.path)
    assert all((home.path / name).read_bytes() == content for name, content in before.items())
    assert home.path.stat().st_mode & 0o777 == 0o700


def test_a_wallet_needs_its_key(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="WALLET_WITHOUT_KEY"):
        create_home(
            tmp_path / "signer",
            private_keys=[TREASURY_KEY],
            limits=replace(LIMITS, wallets=(TREASURY, HALDEN)),
            scrypt_n=DEVELOPMENT_SCRYPT_N,
        )
    assert not (tmp_path / "signer").exists()


def test_an_imported_key_begins_where_the_chain_stands(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer", next_nonces={(CHAIN_ID, TREASURY): 41})
    with open_desk(home, ManualClock()) as desk:
        before, at = desk.answer(
            sign_request(40, order(payment=1, not_after=START)),
            sign_request(41, order(payment=2, not_after=START)),
        )
    assert isinstance(before, Refusal)
    assert before.code == "NONCE_BEFORE_ENROLMENT"
    assert isinstance(at, Signed)


def test_enrolling_twice_changes_nothing(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer")
    first = enroll_destination(home.path, address=STRANGER, label="Brightmoor Cleaning Ltd")
    text = home.limits.read_text()
    assert enroll_destination(home.path, address=STRANGER, label="again") == replace(
        first, label="again"
    )
    assert home.limits.read_text() == text
    assert parse_limits(text).enrolled == LIMITS.enrolled | {(CHAIN_ID, STRANGER)}


def test_an_enrolment_names_its_chain(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer", replace(LIMITS, chain_ids=(CHAIN_ID, 1946)))
    with pytest.raises(InvalidInput, match="CHAIN_AMBIGUOUS"):
        enroll_destination(home.path, address=STRANGER, label="x")
    with pytest.raises(InvalidInput, match="CHAIN_NOT_PERMITTED"):
        enroll_destination(home.path, address=STRANGER, label="x", chain_id=1)
    enroll_destination(home.path, address=STRANGER, label="x", chain_id=1946)
    enrolled = parse_limits(home.limits.read_text()).enrolled
    assert (1946, STRANGER) in enrolled
    assert (CHAIN_ID, STRANGER) not in enrolled


def test_adoption_never_goes_back(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer")
    adopt_wallet(home.path, chain_id=CHAIN_ID, wallet=TREASURY, next_nonce=9)
    with pytest.raises(InvalidInput, match="NONCE_KNOWN_HIGHER"):
        adopt_wallet(home.path, chain_id=CHAIN_ID, wallet=TREASURY, next_nonce=8)
    with open_desk(home, ManualClock()), pytest.raises(Conflict, match="JOURNAL_IN_USE"):
        adopt_wallet(home.path, chain_id=CHAIN_ID, wallet=TREASURY, next_nonce=10)
