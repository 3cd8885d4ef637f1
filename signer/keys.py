"""Owns private keys: encrypted at rest, decrypted only in this process, used only to sign digests.

Must never hand out, log or compare a secret. Files are Web3 Secret Storage version 3, which geth
and eth-keyfile read too.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from coincurve import PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from eth_hash.auto import keccak

from signer.addresses import public_key_address
from treasurer.kernel.digest import Canonical
from treasurer.kernel.errors import InvalidInput, NotPermitted

SCRYPT_N = 262_144
"""Cost of the passphrase for real keys: about one second and 256 MB a key."""
DEVELOPMENT_SCRYPT_N = 4_096
"""Cost for keys that guard nothing (development chain, tests): 12 milliseconds."""
_SCRYPT_R = 8
_SCRYPT_P = 1
_SCRYPT_MAX_MEMORY_BYTES = 1 << 30


class Keystore:
    """The decrypted keys of this process. Its only use is `sign`."""

    __slots__ = ("_keys",)

    def __init__(self, secret_keys: Iterable[bytes]) -> None:
        keys = [_private_key(secret) for secret in secret_keys]
        self._keys = {_address(key): key for key in keys}

    @property
    def addresses(self) -> frozenset[str]:
        """Wallets that this process can sign for, lower-case."""
        return frozenset(self._keys)

    def sign(self, address: str, digest: bytes) -> bytes:
        """65 bytes (r, s, parity) over a 32-byte digest: RFC 6979, low s. Raises KeyError."""
        return bytes(self._keys[address].sign_recoverable(digest, hasher=None))


def load_keys(directory: Path, passphrase: bytes) -> Keystore:
    """Decrypt every key file in `directory`. Raises NotPermitted for a wrong passphrase."""
    return Keystore(
        decrypt_key(path.read_bytes(), passphrase) for path in sorted(directory.glob("0x*.json"))
    )


def secret_address(secret: bytes) -> str:
    """The lower-case address of a 32-byte secret. Raises InvalidInput if it is no such secret."""
    return _address(_private_key(secret))


def secret_from_mnemonic(mnemonic: str, index: int) -> bytes:
    """The private key at m/44'/60'/0'/0/`index`. Raises InvalidInput if the words do not check out."""
    # Imported here: it costs a second, and only the import of a key by a person needs it.
    from eth_account.hdaccount import key_from_seed, seed_from_mnemonic
    from eth_utils.exceptions import ValidationError

    try:
        seed = seed_from_mnemonic(mnemonic, passphrase="")
    except ValidationError:
        raise InvalidInput(
            "MNEMONIC_INVALID", "these words are no BIP-39 mnemonic; check spelling and order"
        ) from None
    return bytes(key_from_seed(seed, f"m/44'/60'/0'/0/{index}"))


def encrypt_key(secret: bytes, passphrase: bytes, *, scrypt_n: int = SCRYPT_N) -> bytes:
    """The key file's content for `secret`."""
    salt, counter = secrets.token_bytes(32), secrets.token_bytes(16)
    derived = _derive(passphrase, salt, scrypt_n, _SCRYPT_R, _SCRYPT_P)
    ciphertext = _aes_ctr(secret, derived[:16], counter)
    document: dict[str, Canonical] = {
        "version": 3,
        "id": str(UUID(bytes=secrets.token_bytes(16), version=4)),
        "address": secret_address(secret)[2:],
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": counter.hex()},
            "ciphertext": ciphertext.hex(),
            "kdf": "scrypt",
            "kdfparams": {
                "dklen": 32,
                "n": scrypt_n,
                "r": _SCRYPT_R,
                "p": _SCRYPT_P,
                "salt": salt.hex(),
            },
            "mac": keccak(derived[16:32] + ciphertext).hex(),
        },
    }
    return json.dumps(document, indent=2).encode("ascii") + b"\n"


def decrypt_key(content: bytes, passphrase: bytes) -> bytes:
    """The 32-byte secret of a version 3 key file (scrypt). Raises NotPermitted or InvalidInput."""
    try:
        document = json.loads(content)
        crypto = document["crypto"]
        if document["version"] != 3 or (crypto["kdf"], crypto["cipher"]) != (
            "scrypt",
            "aes-128-ctr",
        ):
            raise KeyError("kdf")
        parameters = crypto["kdfparams"]
        ciphertext = bytes.fromhex(crypto["ciphertext"])
        derived = _derive(
            passphrase,
            bytes.fromhex(parameters["salt"]),
            parameters["n"],
            parameters["r"],
            parameters["p"],
        )
        mac = bytes.fromhex(crypto["mac"])
        counter = bytes.fromhex(crypto["cipherparams"]["iv"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            "KEY_FILE_UNREADABLE",
            "the key file is not Web3 Secret Storage version 3 with scrypt; export it again so",
        ) from error
    if not hmac.compare_digest(keccak(derived[16:32] + ciphertext), mac):
        raise NotPermitted("PASSPHRASE_WRONG", "the passphrase does not open the key file")
    return _aes_ctr(ciphertext, derived[:16], counter)


def _derive(passphrase: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        passphrase, salt=salt, n=n, r=r, p=p, maxmem=_SCRYPT_MAX_MEMORY_BYTES, dklen=32
    )


def _aes_ctr(data: bytes, key: bytes, counter: bytes) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor()
    return cipher.update(data) + cipher.finalize()


def _private_key(secret: bytes) -> PrivateKey:
    # coincurve pads a short secret with zeros, which would make another wallet of a typing error.
    if len(secret) == 32:
        with suppress(ValueError):
            return PrivateKey(secret)
    raise InvalidInput("KEY_INVALID", "a private key is 32 bytes within the curve's order")


def _address(key: PrivateKey) -> str:
    return public_key_address(key.public_key.format(compressed=False))
