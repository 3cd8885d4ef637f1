"""A KMS of our own on the loopback: signs the digest as it comes, and checks who asks.

Another fake hashes once more, so that its signatures recover to nobody. `faults` spoils answers.
"""

import base64
import json
import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signer.kms import CURVE_ORDER
from signer.sigv4 import Credentials, signed_headers

CREDENTIALS = Credentials("AKIDEXAMPLE", "secret-that-must-not-be-told", "token-neither")
REGION = "eu-central-1"


class LoopbackKms:
    """`high_s` flips every s to the high half; `status` and `signature` replace answers."""

    def __init__(self, secrets: Mapping[str, bytes], curve: ec.EllipticCurve | None = None) -> None:
        chosen = curve or ec.SECP256K1()
        self.keys = {
            key_id: ec.derive_private_key(int.from_bytes(secret), chosen)
            for key_id, secret in secrets.items()
        }
        self.high_s = False
        self.status = 200
        self.signature: bytes | None = None
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "LoopbackKms":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def answer(self, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and fields for one request."""
        if not _is_authentic(headers, body):
            return 400, {"__type": "IncompleteSignatureException", "message": "who are you"}
        action = headers["x-amz-target"].removeprefix("TrentService.")
        fields = json.loads(body)
        self.requests.append((action, fields))
        if self.status != 200:
            return self.status, {"__type": "ThrottlingException", "message": "arn of the caller"}
        key = self.keys.get(fields["KeyId"])
        if key is None:
            return 400, {"__type": "NotFoundException"}
        if action == "GetPublicKey":
            der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return 200, {"KeyId": fields["KeyId"], "PublicKey": base64.b64encode(der).decode()}
        assert (action, fields["MessageType"], fields["SigningAlgorithm"]) == (
            "Sign",
            "DIGEST",
            "ECDSA_SHA_256",
        )
        return 200, {"Signature": base64.b64encode(self._signed(key, fields["Message"])).decode()}

    def _signed(self, key: ec.EllipticCurvePrivateKey, message: str) -> bytes:
        if self.signature is not None:
            return self.signature
        der = key.sign(base64.b64decode(message), ec.ECDSA(Prehashed(SHA256())))
        r, s = decode_dss_signature(der)
        low = min(s, CURVE_ORDER - s)
        return encode_dss_signature(r, CURVE_ORDER - low if self.high_s else low)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        kms = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                named = {name.lower(): value for name, value in self.headers.items()}
                status, fields = kms.answer(named, body)
                content = json.dumps(fields).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Silent."""

        return Handler


def _is_authentic(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the request is signed with our credentials over exactly these headers and this body."""
    names = re.search("SignedHeaders=([^,]+)", headers.get("authorization", ""))
    if names is None:
        return False
    now = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    own = {"x-amz-date", "x-amz-security-token"}
    covered = {name: headers[name] for name in names[1].split(";") if name not in own}
    expected = signed_headers(
        CREDENTIALS,
        method="POST",
        headers=covered,
        body=body,
        region=REGION,
        service="kms",
        now=now,
    )
    return {"host", "content-type", "x-amz-target"} <= covered.keys() and all(
        headers.get(name) == value for name, value in expected.items()
    )
