"""Owns the key that signs audit heads: Ed25519, PKCS#8, encrypted. Must never sign a payment.

A key of its own, so that a signature on a head can never be read as one on a transaction.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from treasurer.kernel.errors import InvalidInput, NotPermitted


def new_head_key(passphrase: bytes) -> bytes:
    """The file of a fresh key, as openssl reads it too."""
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase)
    )


def load_head_key(path: Path, passphrase: bytes) -> Ed25519PrivateKey:
    """Decrypt the file. Raises NotPermitted for a wrong passphrase, InvalidInput for another key."""
    try:
        key = load_pem_private_key(path.read_bytes(), passphrase)
    except (ValueError, TypeError):
        raise NotPermitted(
            "PASSPHRASE_WRONG", f"the passphrase does not open {path}, or the file is damaged"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput("HEAD_KEY_KIND", f"{path} holds no Ed25519 key")
    return key
