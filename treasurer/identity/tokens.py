"""Owns signed tokens; the only importer of python-jose. Must never accept a second algorithm.

ES256 alone: the key that verifies cannot sign, it is loaded in a millisecond, and a key object in
place of bytes leaves python-jose nothing to mistake for an HMAC secret (CVE-2026-85394, -120459).
Claims are checked here one by one against the injected clock: the library accepts a missing claim,
a string `exp` and a future `iat`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jws
from jose.exceptions import JOSEError

from treasurer.identity.errors import NotAuthenticated
from treasurer.kernel.clock import Clock, epoch_s, from_epoch_s
from treasurer.kernel.digest import canonical_json
from treasurer.kernel.ids import OrganizationId, UserId

ALGORITHM = "ES256"
_KEY_BYTES = 32
_LONGEST = 2048  # characters; ours have about 550
_SKEW_S = 5  # another replica's clock may be ahead by this much


class TokenUse(StrEnum):
    """What a token opens: an API call, a new access token, or a page."""

    ACCESS = "access"
    REFRESH = "refresh"
    BROWSER = "browser"


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """Who a verified token speaks for. `id` is this token's own (`jti`)."""

    organization_id: OrganizationId
    user_id: UserId
    session_id: UUID
    use: TokenUse
    id: UUID
    expires_at: datetime


class TokenSigner:
    """Signs and verifies tokens of one issuer for one audience."""

    def __init__(self, private_key_pem: bytes, *, issuer: str, audience: str, clock: Clock) -> None:
        """`private_key_pem` is an unencrypted P-256 key, as `new_private_key` makes it."""
        key = serialization.load_pem_private_key(private_key_pem, password=None)
        if not (
            isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
        ):
            raise ValueError("the token key is an EC key on P-256: make one with `treasurer init`")
        assert key.key_size // 8 >= _KEY_BYTES
        self._signing = jwk.construct(private_key_pem, ALGORITHM)
        self._verifying = self._signing.public_key()
        self._issuer = issuer
        self._audience = audience
        self._clock = clock

    def issue(self, claims: TokenClaims) -> str:
        """The compact signed form of `claims`, issued now."""
        return jws.sign(
            canonical_json(
                {
                    "iss": self._issuer,
                    "aud": self._audience,
                    "sub": str(claims.user_id),
                    "typ": claims.use.value,
                    "iat": epoch_s(self._clock()),
                    "exp": epoch_s(claims.expires_at),
                    "jti": str(claims.id),
                    "org": str(claims.organization_id),
                    "sid": str(claims.session_id),
                }
            ),
            self._signing,
            algorithm=ALGORITHM,
        )

    def verify(self, token: str, use: TokenUse) -> TokenClaims:
        """The claims of `token`. Raises NotAuthenticated unless all of it holds for this use."""
        if len(token) > _LONGEST:
            raise _refused()
        try:
            payload = jws.verify(token, self._verifying, algorithms=[ALGORITHM])
            return self._checked(_json_object(payload), use)
        except (JOSEError, ValueError, KeyError, TypeError) as error:
            raise _refused() from error

    def _checked(self, body: dict[str, object], use: TokenUse) -> TokenClaims:
        now = epoch_s(self._clock())
        expires, issued = _instant(body, "exp"), _instant(body, "iat")
        for name, expected in (("iss", self._issuer), ("aud", self._audience), ("typ", use.value)):
            if body[name] != expected:
                raise ValueError(f"{name} is another")
        if expires <= now:
            raise ValueError("expired")
        if issued > now + _SKEW_S:
            raise ValueError("issued in the future")
        return TokenClaims(
            organization_id=OrganizationId(_uuid(body, "org")),
            user_id=UserId(_uuid(body, "sub")),
            session_id=_uuid(body, "sid"),
            use=use,
            id=_uuid(body, "jti"),
            expires_at=from_epoch_s(expires),
        )


def new_private_key() -> bytes:
    """A fresh P-256 key as PEM (PKCS #8, unencrypted): a secret, kept in a file of mode 0600."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _json_object(payload: bytes) -> dict[str, object]:
    body = orjson.loads(payload)
    if not isinstance(body, dict):
        raise TypeError("the claims are no object")
    return body


def _instant(body: dict[str, object], name: str) -> int:
    value = body[name]
    if type(value) is not int:
        raise TypeError(f"{name} is not a whole number")
    return value


def _uuid(body: dict[str, object], name: str) -> UUID:
    value = body[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a string")
    return UUID(value)


def _refused() -> NotAuthenticated:
    return NotAuthenticated("TOKEN_INVALID", "the token is not valid (any more); sign in again")
