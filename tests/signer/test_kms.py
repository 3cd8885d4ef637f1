"""Keys in KMS: the same bytes on the wire as a key at home, and no answer is believed unseen."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from eth_account import Account

from signer.home import adopt_wallet, create_home
from signer.keys import DEVELOPMENT_SCRYPT_N
from signer.kms import CURVE_ORDER, KmsKeys, KmsPlace, recoverable
from signer.limits_file import limits_yaml
from signer.protocol import Signed
from signer.settings import Home, read_kms
from signer.sigv4 import Credentials, signed_headers
from tests.support.clock import START, ManualClock
from tests.support.kms import CREDENTIALS, REGION, LoopbackKms
from tests.support.signer import (
    CHAIN_ID,
    HALDEN,
    LIMITS,
    SECOND_KEY,
    SECOND_WALLET,
    TREASURY,
    TREASURY_KEY,
    bumped,
    code,
    make_home,
    open_desk,
    order,
    sign_request,
    signer_process,
)
from treasurer.chain.signer_client import SignedAttempt
from treasurer.kernel.errors import InvalidInput, Transient

KEY_ID = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd"
DIGEST = bytes(range(32))
PAID = order(not_after=START)


@pytest.fixture
def kms() -> Iterator[LoopbackKms]:
    with LoopbackKms({KEY_ID: TREASURY_KEY}) as server:
        yield server


def keys(kms: LoopbackKms, address: str = TREASURY, *, key_id: str = KEY_ID) -> KmsKeys:
    return KmsKeys(KmsPlace(REGION, kms.url, CREDENTIALS), {address: key_id}, ManualClock())


@pytest.mark.parametrize("high_s", [False, True])
def test_a_payment_is_signed_by_a_key_that_never_comes_here(
    tmp_path: Path, kms: LoopbackKms, high_s: bool
) -> None:
    kms.high_s = high_s
    with open_desk(make_home(tmp_path / "signer"), ManualClock(), keys(kms)) as desk:
        (answer,) = desk.answer(sign_request(0, PAID))
        # KMS signs differently each time; the journal answers, and KMS is not asked again.
        assert desk.answer(sign_request(0, PAID)) == [answer]
    assert isinstance(answer, Signed)
    assert Account.recover_transaction(bytes.fromhex(answer.raw)).lower() == TREASURY
    assert [action for action, _ in kms.requests] == ["GetPublicKey", "Sign"]


def test_signatures_have_a_low_s_and_either_parity(kms: LoopbackKms) -> None:
    ring = keys(kms)
    parities = set()
    for number in range(24):
        kms.high_s = number % 2 == 0
        signature = ring.sign(TREASURY, number.to_bytes(32))
        assert int.from_bytes(signature[32:64]) <= CURVE_ORDER // 2
        parities.add(signature[64])
    assert parities == {0, 1}


def test_a_key_of_another_address_stops_the_start(kms: LoopbackKms) -> None:
    with pytest.raises(InvalidInput, match="KMS_KEY_ADDRESS"):
        keys(kms, HALDEN)
    with (
        LoopbackKms({KEY_ID: TREASURY_KEY}, ec.SECP256R1()) as other_curve,
        pytest.raises(InvalidInput, match="KMS_KEY_KIND"),
    ):
        keys(other_curve)
    with pytest.raises(Transient, match="NotFoundException"):
        keys(kms, key_id="another")


def test_what_goes_wrong_signs_nothing_and_may_be_asked_again(
    tmp_path: Path, kms: LoopbackKms
) -> None:
    home = make_home(tmp_path / "signer")
    with (
        LoopbackKms({KEY_ID: SECOND_KEY}) as other,
        open_desk(home, ManualClock(), keys(kms)) as desk,
    ):
        before = home.journal.read_bytes()
        kms.status = 400
        (refused,) = desk.answer(sign_request(0, PAID))
        assert code(refused) == "KEY_UNAVAILABLE"
        assert "ThrottlingException" in refused.message  # type: ignore[union-attr]
        assert "arn of the caller" not in refused.message  # type: ignore[union-attr]
        kms.status = 200
        for wrong in (b"", b"no der", encode_dss_signature(1, 1), encode_dss_signature(2**300, 1)):
            kms.signature = wrong
            assert code(desk.answer(sign_request(0, PAID))[0]) == "KEY_UNAVAILABLE"
        kms.signature = None
        kms.keys = other.keys
        assert code(desk.answer(sign_request(0, PAID))[0]) == "KEY_UNAVAILABLE"
        assert home.journal.read_bytes() == before
    with (
        LoopbackKms({KEY_ID: TREASURY_KEY}) as again,
        open_desk(home, ManualClock(), keys(again)) as desk,
    ):
        assert isinstance(desk.answer(sign_request(0, PAID))[0], Signed)


def test_a_signature_by_another_is_none() -> None:
    with pytest.raises(ValueError, match="not by this address"):
        recoverable(encode_dss_signature(5, 7), DIGEST, TREASURY)


def test_a_dead_kms_is_unavailable_and_a_new_connection_is_tried(kms: LoopbackKms) -> None:
    ring = keys(kms)
    ring.close()
    assert len(ring.sign(TREASURY, DIGEST)) == 65
    with LoopbackKms({KEY_ID: TREASURY_KEY}) as gone:
        dead = keys(gone)
        dead.close()
    with pytest.raises(Transient, match="KEY_UNAVAILABLE"):
        dead.sign(TREASURY, DIGEST)


def test_wrong_credentials_are_refused_and_told_to_nobody(kms: LoopbackKms) -> None:
    place = KmsPlace(REGION, kms.url, replace(CREDENTIALS, secret_access_key="another-secret"))
    with pytest.raises(Transient, match="IncompleteSignatureException") as refused:
        KmsKeys(place, {TREASURY: KEY_ID}, ManualClock())
    assert "another-secret" not in repr((refused.value, place))
    assert "token-neither" not in repr(place)


@pytest.mark.parametrize(
    ("method", "signature"),
    [
        ("GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ],
)
def test_signature_version_4_as_its_published_examples(method: str, signature: str) -> None:
    """`get-vanilla` and `post-vanilla` of AWS's test suite."""
    made = signed_headers(
        Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        method=method,
        headers={"host": "example.amazonaws.com"},
        body=b"",
        region="us-east-1",
        service="service",
        now=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )
    assert made["authorization"].endswith(f"SignedHeaders=host;x-amz-date, Signature={signature}")


async def test_the_process_signs_with_both_kinds_of_key(
    tmp_path: Path, kms: LoopbackKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home whose own key is the second wallet's; the treasury's lies in KMS."""
    limits = replace(LIMITS, wallets=(SECOND_WALLET,))
    create_home(tmp_path, private_keys=[SECOND_KEY], limits=limits, scrypt_n=DEVELOPMENT_SCRYPT_N)
    home = Home(tmp_path)
    home.limits.write_text(limits_yaml(replace(limits, wallets=(SECOND_WALLET, TREASURY))))
    adopt_wallet(home.path, chain_id=CHAIN_ID, wallet=TREASURY, next_nonce=0)
    settings(monkeypatch, kms.url, f"{TREASURY}={KEY_ID}")
    wanted = order(wallets=(TREASURY, SECOND_WALLET))
    another = order(payment=2, wallets=(TREASURY, SECOND_WALLET))
    with signer_process(home) as process:
        await process.start()
        client = process.client()
        answers = await client.sign(
            [sign_request(0, wanted), replace(sign_request(0, another), sender=SECOND_WALLET)]
        )
        bump = sign_request(0, wanted, attempt=2, fees=bumped(sign_request(0, wanted).fees))
        answers += await client.sign([bump])
        await client.close()
        process.stop()
        assert CREDENTIALS.secret_access_key not in process.errors()
    senders = [
        Account.recover_transaction(answer.raw).lower()
        for answer in answers
        if isinstance(answer, SignedAttempt)
    ]
    assert senders == [TREASURY, SECOND_WALLET, TREASURY]


def settings(monkeypatch: pytest.MonkeyPatch, endpoint: str, pairs: str) -> None:
    for name, value in {
        "SIGNER_KMS_KEY_IDS": pairs,
        "SIGNER_KMS_ENDPOINT": endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": CREDENTIALS.access_key_id,
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS.secret_access_key,
        "AWS_SESSION_TOKEN": CREDENTIALS.session_token or "",
    }.items():
        monkeypatch.setenv(name, value)


def test_settings_are_complete_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_kms() is None
    settings(monkeypatch, "", f"{TREASURY}={KEY_ID} {HALDEN}=alias/b")
    found = read_kms()
    assert found is not None
    assert found.endpoint == "https://kms.eu-central-1.amazonaws.com"
    assert found.key_ids == {TREASURY: KEY_ID, HALDEN: "alias/b"}
    assert CREDENTIALS.secret_access_key not in repr(found)
    for name, value, expected in (
        ("SIGNER_KMS_ENDPOINT", "http://kms.example", "KMS_ENDPOINT_PLAIN"),
        ("SIGNER_KMS_KEY_IDS", TREASURY, "KMS_KEY_SYNTAX"),
        ("SIGNER_KMS_KEY_IDS", f"0x12={KEY_ID}", "ADDRESS_SYNTAX"),
        ("AWS_SECRET_ACCESS_KEY", "", "KMS_SETTING_MISSING"),
        ("AWS_REGION", "", "KMS_SETTING_MISSING"),
    ):
        before = os.environ[name]
        monkeypatch.setenv(name, value)
        with pytest.raises(InvalidInput, match=expected):
            read_kms()
        monkeypatch.setenv(name, before)
