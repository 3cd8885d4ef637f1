"""Keys that people import: which files are taken, and that no refusal repeats one."""

from pathlib import Path

import pytest

from signer.keys import DEVELOPMENT_SCRYPT_N, encrypt_key, secret_address
from tests.support.cli import WALLET, Place
from treasurer.cli.key_files import imported_secret, new_secret
from treasurer.kernel.errors import InvalidInput, NotFound, NotPermitted, TreasurerError

KEYSTORE = encrypt_key(WALLET.key, b"open sesame", scrypt_n=DEVELOPMENT_SCRYPT_N).decode()


def unasked() -> bytes:
    raise AssertionError("nobody should be asked")


@pytest.mark.parametrize("text", [WALLET.key.hex(), f"0x{WALLET.key.hex().upper()}\n"])
def test_hexadecimal_digits(place: Place, text: str) -> None:
    assert imported_secret(place.write("key", text), unasked) == WALLET.key


def test_a_keystore_with_its_passphrase(place: Place) -> None:
    path = place.write("key.json", KEYSTORE)
    assert imported_secret(path, lambda: b"open sesame") == WALLET.key


@pytest.mark.parametrize(
    ("text", "mode", "error", "code"),
    [
        (WALLET.key.hex(), 0o640, NotPermitted, "FILE_EXPOSED"),
        (WALLET.key.hex()[:-1], 0o600, InvalidInput, "KEY_FILE_UNREADABLE"),
        (f"[{WALLET.key.hex()!r}]", 0o600, InvalidInput, "KEY_FILE_UNREADABLE"),
        ("0" * 64, 0o600, InvalidInput, "KEY_INVALID"),
        ("f" * 64, 0o600, InvalidInput, "KEY_INVALID"),
        ("{}", 0o600, InvalidInput, "KEY_FILE_UNREADABLE"),
        (KEYSTORE, 0o600, NotPermitted, "PASSPHRASE_WRONG"),
    ],
    # Not by the text, which would put the key into the file's path.
    ids=["exposed", "short", "json list", "zero", "too large", "empty json", "other passphrase"],
)
def test_refused(
    place: Place, text: str, mode: int, error: type[TreasurerError], code: str
) -> None:
    path = place.write("key", text, mode)
    with pytest.raises(error) as refused:
        imported_secret(path, lambda: b"open barley")
    assert refused.value.code == code
    assert WALLET.key.hex()[:16] not in str(refused.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        imported_secret(tmp_path / "none", unasked)


def test_new_keys_are_keys_and_differ() -> None:
    first, second = new_secret(), new_secret()
    assert secret_address(first) != secret_address(second)
