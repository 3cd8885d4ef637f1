"""The forged-token matrix on the signer itself, and what a key must be."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from uuid_utils.compat import uuid7

from tests.support.clock import START, ManualClock
from tests.support.identity import (
    AUDIENCE,
    ISSUER,
    OTHER_KEY_PEM,
    claims_of,
    es256,
    forgeries,
    token_signer,
)
from treasurer.identity.errors import NotAuthenticated
from treasurer.identity.tokens import TokenClaims, TokenSigner, TokenUse
from treasurer.kernel.clock import from_epoch_s
from treasurer.kernel.ids import OrganizationId, UserId


def _claims(use: TokenUse = TokenUse.ACCESS) -> TokenClaims:
    return TokenClaims(
        organization_id=OrganizationId(uuid7()),
        user_id=UserId(uuid7()),
        session_id=uuid7(),
        use=use,
        id=uuid7(),
        expires_at=from_epoch_s(int(START.timestamp()) + 900),
    )


def test_a_token_carries_its_claims_until_it_expires() -> None:
    clock = ManualClock()
    claims = _claims()
    token = token_signer(clock).issue(claims)

    assert token_signer(clock).verify(token, TokenUse.ACCESS) == claims
    assert claims_of(token) == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(claims.user_id),
        "typ": "access",
        "iat": int(START.timestamp()),
        "exp": int(START.timestamp()) + 900,
        "jti": str(claims.id),
        "org": str(claims.organization_id),
        "sid": str(claims.session_id),
    }
    clock.advance(seconds=899)
    assert token_signer(clock).verify(token, TokenUse.ACCESS) == claims
    clock.advance(seconds=1)
    with pytest.raises(NotAuthenticated, match="TOKEN_INVALID"):
        token_signer(clock).verify(token, TokenUse.ACCESS)


# A forger may swap these for others that exist nowhere; the service's look-up refuses them.
_WELL_FORMED = {"another subject", "another organization", "another session"}


def test_every_forgery_is_refused() -> None:
    clock = ManualClock()
    signer = token_signer(clock)
    valid = signer.issue(_claims())
    assert signer.verify(es256(claims_of(valid)), TokenUse.ACCESS)  # the forger's tool works

    forged = forgeries(valid, clock)
    accepted = []
    for name, token in forged.items():
        try:
            signer.verify(token, TokenUse.ACCESS)
            accepted.append(name)
        except NotAuthenticated as refusal:
            assert refusal.code == "TOKEN_INVALID"
    assert set(accepted) == _WELL_FORMED
    assert len(forged) == 64


@pytest.mark.parametrize("use", list(TokenUse))
@pytest.mark.parametrize("asked", list(TokenUse))
def test_a_token_serves_its_own_use_only(use: TokenUse, asked: TokenUse) -> None:
    signer = token_signer(ManualClock())
    token = signer.issue(_claims(use))
    if use is asked:
        assert signer.verify(token, asked).use is use
    else:
        with pytest.raises(NotAuthenticated):
            signer.verify(token, asked)


def test_a_clock_a_little_ahead_is_forgiven_and_no_more() -> None:
    ahead = ManualClock()
    ahead.advance(seconds=5)
    token = token_signer(ahead).issue(_claims())
    assert token_signer(ManualClock()).verify(token, TokenUse.ACCESS)
    ahead.advance(seconds=1)
    with pytest.raises(NotAuthenticated):
        token_signer(ManualClock()).verify(token_signer(ahead).issue(_claims()), TokenUse.ACCESS)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"secret",
        _pem(ec.generate_private_key(ec.SECP192R1())),
        _pem(ec.generate_private_key(ec.SECP256K1())),
        _pem(rsa.generate_private_key(65537, 2048)),
    ],
    ids=["empty", "a secret", "a 24-byte curve", "another 32-byte curve", "RSA"],
)
def test_the_signer_starts_with_a_p256_key_only(pem: bytes) -> None:
    with pytest.raises(ValueError):
        TokenSigner(pem, issuer=ISSUER, audience=AUDIENCE, clock=ManualClock())


def test_another_installations_token_is_refused() -> None:
    clock = ManualClock()
    foreign = token_signer(clock, OTHER_KEY_PEM).issue(_claims())
    with pytest.raises(NotAuthenticated):
        token_signer(clock).verify(foreign, TokenUse.ACCESS)
