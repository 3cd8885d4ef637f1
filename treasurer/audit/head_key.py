"""Owns the public key that verifies signed heads, pinned in a file. Must never take a second key.

The file lies beside the settings and not in the database, because it is what catches a database that
was rewritten. `openssl pkeyutl -verify -pubin -inkey FILE -rawin` reads it too.
"""

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from treasurer.kernel.audit_head import SignedHead
from treasurer.kernel.errors import InvariantViolated

FILE_NAME = "audit-head.pub"


class PinnedHeadKey:
    """The key in `path`, read anew each time: the worker pins it while other processes run."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Ed25519PublicKey | None:
        """The key; None while none is pinned. Raises InvariantViolated for a file of another kind."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            key = load_pem_public_key(content)
        except ValueError:
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise InvariantViolated(
                "AUDIT_KEY_UNREADABLE", f"{self._path} holds no Ed25519 key: restore it"
            )
        return key

    def pin(self, public_key: bytes) -> None:
        """Trust the first key that is shown, for good.

        Raises InvariantViolated `AUDIT_KEY_CHANGED` if another one is pinned.
        """
        shown = Ed25519PublicKey.from_public_bytes(public_key)
        pinned = self.read()
        if pinned is None:
            draft = self._path.with_name(self._path.name + ".new")
            draft.write_bytes(shown.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
            draft.replace(self._path)
        elif pinned != shown:
            raise InvariantViolated(
                "AUDIT_KEY_CHANGED",
                f"the signer signs heads with another key than the one in {self._path}; if it was"
                " set up anew on purpose, keep the old file for old heads and move it away",
            )


def is_signed_by(key: Ed25519PublicKey, signed: SignedHead) -> bool:
    """Whether the signature is the key's, over exactly this head."""
    try:
        key.verify(signed.signature, signed.head.statement())
    except InvalidSignature:
        return False
    return True
