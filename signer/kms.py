"""Owns keys that lie in AWS KMS: they sign there, and no secret of theirs ever comes here.

Must never believe an answer: a signature counts once it recovers to the pinned address. KMS signs the
digest as it is (MessageType DIGEST), answers in DER, and may answer with a high s, which chains refuse.
"""

import base64
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from coincurve import PublicKey
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from signer.addresses import public_key_address
from signer.sigv4 import Credentials, signed_headers
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import InvalidInput, Transient

CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class KmsPlace:
    """Which KMS. `endpoint` is https, or http on the loopback for tests."""

    region: str
    endpoint: str
    credentials: Credentials


class KmsKeys:
    """Keys of KMS by the addresses that were pinned for them."""

    def __init__(self, place: KmsPlace, key_ids: Mapping[str, str], clock: Clock) -> None:
        """Ask for each public key. Raises InvalidInput if one is not the pinned address's."""
        self._place = place
        self._clock = clock
        self._connection: http.client.HTTPConnection | None = None
        self._key_ids = dict(key_ids)
        for address, key_id in self._key_ids.items():
            found = self._address(key_id)
            if found != address:
                raise InvalidInput(
                    "KMS_KEY_ADDRESS",
                    f"the KMS key {key_id} is that of {found}, not of {address}: correct the pair",
                )

    @property
    def addresses(self) -> frozenset[str]:
        """Wallets that KMS can sign for, lower-case."""
        return frozenset(self._key_ids)

    def sign(self, address: str, digest: bytes) -> bytes:
        """65 bytes (r, s, parity) over a 32-byte digest, low s. Raises KeyError, Transient."""
        answer = self._ask(
            "Sign",
            {
                "KeyId": self._key_ids[address],
                "Message": base64.b64encode(digest).decode("ascii"),
                "MessageType": "DIGEST",
                "SigningAlgorithm": "ECDSA_SHA_256",
            },
        )
        try:
            return recoverable(base64.b64decode(answer["Signature"]), digest, address)
        except (KeyError, TypeError, ValueError):
            raise _unavailable("it answered with no signature of this key") from None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _address(self, key_id: str) -> str:
        answer = self._ask("GetPublicKey", {"KeyId": key_id})
        try:
            key = load_der_public_key(base64.b64decode(answer["PublicKey"]))
        except (KeyError, TypeError, ValueError, UnsupportedAlgorithm):
            raise _unavailable("it answered with no public key") from None
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256K1):
            raise InvalidInput(
                "KMS_KEY_KIND", f"the KMS key {key_id} is none of ECC_SECG_P256K1: make another"
            )
        return public_key_address(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def _ask(self, action: str, fields: Mapping[str, str]) -> dict[str, Any]:
        """One call. A connection that broke is replaced once: signing again has no effect of its own."""
        body = json.dumps(fields, separators=(",", ":")).encode("ascii")
        for final in (False, True):
            try:
                status, content = self._exchange(action, body)
                break
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if final:
                    raise _unavailable(f"no answer ({type(error).__name__})") from None
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if status != 200 or not isinstance(answer, dict):
            kind = answer.get("__type", "") if isinstance(answer, dict) else ""
            # The message may name the caller, so only the error's kind is passed on.
            raise _unavailable(f"{action} was answered with {status} {str(kind)[:100]}".rstrip())
        return answer

    def _exchange(self, action: str, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(self._place.endpoint)
        if self._connection is None:
            secure = parts.scheme == "https"
            connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            self._connection = connect(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
        headers = signed_headers(
            self._place.credentials,
            method="POST",
            headers={
                "host": parts.netloc,
                "content-type": "application/x-amz-json-1.1",
                "x-amz-target": f"TrentService.{action}",
            },
            body=body,
            region=self._place.region,
            service="kms",
            now=self._clock(),
        )
        self._connection.request("POST", "/", body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()


def recoverable(der: bytes, digest: bytes, address: str) -> bytes:
    """65 bytes (r, s, parity), low s, of a DER signature. Raises ValueError unless by `address`."""
    r, s = decode_dss_signature(der)
    if not (0 < r < CURVE_ORDER and 0 < s < CURVE_ORDER):
        raise ValueError("r and s lie within the curve's order")
    rs = r.to_bytes(32) + min(s, CURVE_ORDER - s).to_bytes(32)
    for parity in (b"\0", b"\1"):
        try:
            key = PublicKey.from_signature_and_message(rs + parity, digest, hasher=None)
        except Exception:  # noqa: S112  the library raises bare exceptions for an impossible parity
            continue
        if public_key_address(key.format(compressed=False)) == address:
            return rs + parity
    raise ValueError("the signature is not by this address")


def _unavailable(reason: str) -> Transient:
    return Transient("KEY_UNAVAILABLE", f"KMS did not sign: {reason}; nothing was signed, retry")
