"""Key files: readable by other software, closed without the passphrase."""

import json
from pathlib import Path

import pytest
from eth_keyfile import create_keyfile_json, decode_keyfile_json

from signer.keys import (
    DEVELOPMENT_SCRYPT_N,
    decrypt_key,
    encrypt_key,
    load_keys,
    secret_address,
    secret_from_mnemonic,
)
from signer.settings import read_passphrase
from tests.support.signer import HALDEN, TREASURY, TREASURY_KEY, make_home
from treasurer.kernel.errors import InvalidInput, NotFound, NotPermitted

MNEMONIC = "test test test test test test test test test test test junk"


def test_eth_keyfile_reads_ours_and_we_read_its() -> None:
    ours = encrypt_key(TREASURY_KEY, b"p\xc3\xa4ss", scrypt_n=DEVELOPMENT_SCRYPT_N)
    assert bytes(decode_keyfile_json(json.loads(ours), b"p\xc3\xa4ss")) == TREASURY_KEY
    theirs = create_keyfile_json(
        TREASURY_KEY, b"p\xc3\xa4ss", kdf="scrypt", iterations=DEVELOPMENT_SCRYPT_N
    )
    assert decrypt_key(json.dumps(theirs).encode(), b"p\xc3\xa4ss") == TREASURY_KEY


def test_the_secret_does_not_stand_in_the_file() -> None:
    content = encrypt_key(TREASURY_KEY, b"passphrase", scrypt_n=DEVELOPMENT_SCRYPT_N)
    assert TREASURY_KEY.hex().encode() not in content
    again = encrypt_key(TREASURY_KEY, b"passphrase", scrypt_n=DEVELOPMENT_SCRYPT_N)
    assert json.loads(content)["crypto"]["ciphertext"] != json.loads(again)["crypto"]["ciphertext"]


def test_a_wrong_passphrase_opens_nothing() -> None:
    content = encrypt_key(TREASURY_KEY, b"right", scrypt_n=DEVELOPMENT_SCRYPT_N)
    with pytest.raises(NotPermitted, match="PASSPHRASE_WRONG"):
        decrypt_key(content, b"wrong")


@pytest.mark.parametrize(
    "content", [b"{}", b"no json", b"[]", b'{"version": 3, "crypto": {"kdf": "pbkdf2"}}']
)
def test_another_file_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput, match="KEY_FILE_UNREADABLE"):
        decrypt_key(content, b"")


def test_mnemonic_gives_the_usual_accounts() -> None:
    assert secret_from_mnemonic(MNEMONIC, 0) == TREASURY_KEY
    assert secret_address(secret_from_mnemonic(MNEMONIC, 1)) == HALDEN
    with pytest.raises(InvalidInput, match="MNEMONIC_INVALID"):
        secret_from_mnemonic("test " * 12, 0)


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32, b"short"])
def test_what_is_no_key_is_refused(secret: bytes) -> None:
    with pytest.raises(InvalidInput, match="KEY_INVALID"):
        secret_address(secret)


def test_keys_load_with_the_homes_own_passphrase(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer")
    assert load_keys(home.keys, read_passphrase(home)).addresses == {TREASURY}
    assert (home.keys / f"{TREASURY}.json").stat().st_mode & 0o777 == 0o600
    assert home.passphrase.stat().st_mode & 0o777 == 0o600


def test_passphrase_sources_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_home(tmp_path / "signer", passphrase=b"from elsewhere")
    with pytest.raises(NotFound, match="PASSPHRASE_MISSING"):
        read_passphrase(home)
    monkeypatch.setenv("SIGNER_PASSPHRASE", "from elsewhere")
    assert load_keys(home.keys, read_passphrase(home)).addresses == {TREASURY}
    named = tmp_path / "secret"
    named.write_bytes(b"from a file\n")
    named.chmod(0o644)
    monkeypatch.setenv("SIGNER_PASSPHRASE_FILE", str(named))
    with pytest.raises(NotPermitted, match="PASSPHRASE_EXPOSED"):
        read_passphrase(home)
    named.chmod(0o400)
    assert read_passphrase(home) == b"from a file"
