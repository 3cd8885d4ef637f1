"""Builds identity services over real servers, and tokens that a forger would try."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from redis.asyncio import Redis
from uuid_utils.compat import uuid7

from tests.support.clock import ManualClock
from tests.support.embedded import embedded_valkey
from treasurer.db.engine import Database
from treasurer.identity.counters import WindowCounters
from treasurer.identity.passwords import Passwords
from treasurer.identity.service import IdentityService
from treasurer.identity.step_up import StepUp
from treasurer.identity.throttle import SignInThrottle
from treasurer.identity.tokens import TokenSigner, new_private_key
from treasurer.identity.totp import TotpCodes
from treasurer.kernel.clock import Clock, epoch_s

ISSUER = "https://treasurer.test"
AUDIENCE = "treasurer-api"
PASSWORD = "correct horse battery staple"
TOTP_KEY = bytes(range(32))
KEY_PEM = new_private_key()
OTHER_KEY_PEM = new_private_key()


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    with embedded_valkey() as server:
        yield server.url


def new_valkey(url: str) -> Redis:
    """A client as the application makes it; close it with `await client.aclose()`."""
    return Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0)


def dead_valkey() -> Redis:
    """A client of a server that is not there."""
    return Redis.from_url("unix:///nonexistent/valkey.sock", socket_connect_timeout=0.2)


def token_signer(clock: Clock, key_pem: bytes = KEY_PEM) -> TokenSigner:
    return TokenSigner(key_pem, issuer=ISSUER, audience=AUDIENCE, clock=clock)


def identity_service(database: Database, valkey: Redis, clock: ManualClock) -> IdentityService:
    return IdentityService(
        database=database,
        signer=token_signer(clock),
        passwords=Passwords(),
        throttle=SignInThrottle(WindowCounters(valkey, clock=clock)),
        clock=clock,
        new_id=uuid7,
    )


def totp_codes(database: Database, clock: ManualClock) -> TotpCodes:
    return TotpCodes(database=database, key=TOTP_KEY, clock=clock, new_id=uuid7)


def step_up(database: Database, valkey: Redis, clock: ManualClock) -> StepUp:
    return StepUp(
        database=database,
        passwords=Passwords(),
        codes=totp_codes(database, clock),
        throttle=SignInThrottle(WindowCounters(valkey, clock=clock)),
        clock=clock,
        new_id=uuid7,
    )


def claims_of(token: str) -> dict[str, Any]:
    """The claims as anybody may read them."""
    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def compact(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """Header and claims, ready to be signed."""
    return f"{_segment(json.dumps(header).encode())}.{_segment(json.dumps(claims).encode())}"


def es256(claims: Mapping[str, Any], key_pem: bytes = KEY_PEM, alg: str = "ES256") -> str:
    """A token that is rightly signed, whatever its claims."""
    return _signed(compact({"typ": "JWT", "alg": alg}, claims), key_pem)


def hs256(claims: Mapping[str, Any], secret: bytes) -> str:
    """A token signed with a shared secret."""
    signing_input = compact({"typ": "JWT", "alg": "HS256"}, claims)
    signature = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{_segment(signature)}"


def public_key(encoding: serialization.Encoding) -> bytes:
    key = serialization.load_pem_private_key(KEY_PEM, password=None)
    return key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


REQUIRED_CLAIMS = ("iss", "aud", "sub", "typ", "iat", "exp", "jti", "org", "sid")


def forgeries(valid: str, clock: Clock) -> dict[str, str]:
    """Tokens that must all be refused, made from one that is accepted. By what is wrong."""
    claims = claims_of(valid)
    now = epoch_s(clock())
    changed: dict[str, dict[str, Any]] = {
        **{f"without {name}": _without(claims, name) for name in REQUIRED_CLAIMS},
        **{f"{name} null": {**claims, name: None} for name in REQUIRED_CLAIMS},
        "expired": {**claims, "exp": now},
        "expired yesterday": {**claims, "exp": now - 86_400},
        "exp as text": {**claims, "exp": str(claims["exp"])},
        "exp as a fraction": {**claims, "exp": claims["exp"] + 0.5},
        "exp true": {**claims, "exp": True},
        "iat true": {**claims, "iat": True},
        "iat as text": {**claims, "iat": str(claims["iat"])},
        "iat in the future": {**claims, "iat": now + 60},
        "another issuer": {**claims, "iss": "https://evil.test"},
        "another audience": {**claims, "aud": "another-api"},
        "a list of audiences": {**claims, "aud": [claims["aud"], "another-api"]},
        "a refresh token": {**claims, "typ": "refresh"},
        "a browser token": {**claims, "typ": "browser"},
        "another subject": {**claims, "sub": str(uuid7())},
        "another organization": {**claims, "org": str(uuid7())},
        "another session": {**claims, "sid": str(uuid7())},
        "subject no uuid": {**claims, "sub": "administrator"},
    }
    head, body, signature = valid.split(".")
    return {
        **{f"alg {alg}": compact({"alg": alg}, claims) + "." for alg in _NONES},
        **{
            f"alg {alg}, signature kept": f"{compact({'alg': alg}, claims)}.{signature}"
            for alg in _NONES
        },
        "no alg": compact({"typ": "JWT"}, claims) + ".",
        "HS256, public key as PEM": hs256(claims, public_key(serialization.Encoding.PEM)),
        "HS256, public key as PEM, stripped": hs256(
            claims, public_key(serialization.Encoding.PEM).strip()
        ),
        "HS256, public key as DER": hs256(claims, public_key(serialization.Encoding.DER)),
        "HS256, private key as PEM": hs256(claims, KEY_PEM),
        "HS256, empty key": hs256(claims, b""),
        "HS256, one byte": hs256(claims, b"\0"),
        "another key": es256(claims, OTHER_KEY_PEM),
        **{
            f"alg {alg}, rightly signed": es256(claims, alg=alg)
            for alg in ("HS256", "ES384", "RS256", "none")
        },
        "no signature": f"{head}.{body}.",
        "signature of zeros": f"{head}.{body}.{_segment(bytes(64))}",
        "claims changed, signature kept": f"{head}."
        f"{compact({}, {**claims, 'sub': str(uuid7())}).split('.')[1]}.{signature}",
        "two segments": f"{head}.{body}",
        "empty": "",
        "not a token": "Bearer",
        "too long": valid + "A" * 4096,
        "claims a list": _signed_text(b"[]"),
        "claims no JSON": _signed_text(b"claims"),
        **{name: es256(value) for name, value in changed.items()},
    }


_NONES = ("none", "None", "NONE", "nOnE")


def _without(claims: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claims.items() if key != name}


def _signed_text(payload: bytes) -> str:
    head = _segment(json.dumps({"alg": "ES256"}).encode())
    return _signed(f"{head}.{_segment(payload)}", KEY_PEM)


def _signed(signing_input: str, key_pem: bytes) -> str:
    key = serialization.load_pem_private_key(key_pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signing_input}.{_segment(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
