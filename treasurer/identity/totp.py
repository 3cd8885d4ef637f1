"""Owns one-time codes by an authenticator app (RFC 6238, by pyotp). Must never take a code twice.

Secrets lie sealed by a key outside the database, each bound to its user. Failures are counted in the
database, so that six digits cannot be guessed while the throttle's Valkey is down.
"""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.identity.errors import NotAuthenticated
from treasurer.kernel.clock import Clock, epoch_s
from treasurer.kernel.errors import Conflict, InvariantViolated
from treasurer.kernel.ids import NewId
from treasurer.kernel.organization import Principal

STEP_S = 30
MOST_FAILURES = 10
ENROL_WITHIN = timedelta(minutes=15)
_NONCE_BYTES = 12
_ISSUER = "Autonomous Treasurer"

_SCOPE = "organization_id = :organization_id AND user_id = :user_id"
_FRESH_SESSION = text(f"""
    SELECT count(*) FROM sessions WHERE {_SCOPE} AND id = :session_id AND revoked_at IS NULL
      AND (stepped_up_at >= :since OR (created_at >= :since AND NOT EXISTS (
           SELECT FROM users WHERE users.organization_id = sessions.organization_id
           AND users.id = sessions.user_id AND password_hash IS NOT NULL)))
""")
_BEGIN = text("""
    INSERT INTO totp_enrolments (organization_id, user_id, sealed_secret, created_at)
    VALUES (:organization_id, :user_id, :sealed, :now)
    ON CONFLICT (organization_id, user_id) DO UPDATE SET sealed_secret = excluded.sealed_secret,
        created_at = excluded.created_at, confirmed_at = NULL, last_step = 0, failures = 0
""")
_LOCK = text(f"""
    SELECT sealed_secret, last_step, failures, confirmed_at FROM totp_enrolments
    WHERE {_SCOPE} FOR NO KEY UPDATE
""")
_TAKEN = text(f"""
    UPDATE totp_enrolments SET last_step = :step, failures = 0,
        confirmed_at = coalesce(confirmed_at, :now)
    WHERE {_SCOPE}
""")
_FAILED = text(f"UPDATE totp_enrolments SET failures = failures + 1 WHERE {_SCOPE}")
_CONFIRMED = text(f"SELECT confirmed_at FROM totp_enrolments WHERE {_SCOPE}")


@dataclass(frozen=True, slots=True)
class NewSecret:
    """Shown once, to be put into an authenticator app. A secret."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


class TotpCodes:
    """Enrols authenticator apps and takes their codes. `key` has 32 bytes."""

    def __init__(self, *, database: Database, key: bytes, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._aead = AESGCM(key)
        self._clock = clock
        self._new_id = new_id

    async def begin(self, principal: Principal, *, email: str) -> NewSecret:
        """A new secret, which counts once a code confirms it; it replaces a former one.

        Raises NotAuthenticated ENROL_STEP_UP unless the session proved itself within 15 minutes, or
        was opened within them by somebody who has no password to prove.
        """
        now = self._clock()
        secret = pyotp.random_base32()
        scope = _scope(principal)
        async with self._database.unit(principal.organization_id) as connection:
            fresh = await connection.execute(
                _FRESH_SESSION,
                scope | {"session_id": principal.session_id, "since": now - ENROL_WITHIN},
            )
            if not fresh.scalar_one():
                raise NotAuthenticated(
                    "ENROL_STEP_UP", "give your password first, then enrol an authenticator"
                )
            sealed = self._seal(principal, secret.encode())
            await connection.execute(_BEGIN, scope | {"sealed": sealed, "now": now})
            await self._record(connection, principal, "begun")
        uri = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=_ISSUER)
        return NewSecret(secret, uri)

    async def confirm(self, principal: Principal, code: str) -> None:
        """Make the new secret count by its first code. Raises Conflict TOTP_CODE, TOTP_LOCKED."""
        if not await self._take(principal, code, confirming=True):
            raise Conflict("TOTP_CODE", "that code is not right; wait for the next one and try it")

    async def take(self, principal: Principal, code: str) -> bool:
        """Whether `code` is right now and was not taken before; it is spent by that.

        Raises Conflict TOTP_LOCKED once MOST_FAILURES wrong ones came in a row.
        """
        return await self._take(principal, code, confirming=False)

    async def enrolled(self, principal: Principal) -> bool:
        """Whether this person has a confirmed authenticator."""
        async with self._database.unit(principal.organization_id) as connection:
            rows = await connection.execute(_CONFIRMED, _scope(principal))
            return rows.scalar_one_or_none() is not None

    async def _take(self, principal: Principal, code: str, *, confirming: bool) -> bool:
        now, scope = self._clock(), _scope(principal)
        async with self._database.unit(principal.organization_id) as connection:
            row = (await connection.execute(_LOCK, scope)).one_or_none()
            if row is None or confirming is not (row.confirmed_at is None):
                return False
            if row.failures >= MOST_FAILURES:
                raise Conflict(
                    "TOTP_LOCKED",
                    "too many wrong codes were given, so no code of this authenticator counts any more;"
                    " enrol it again, and prove yourself by your password until then",
                )
            totp = pyotp.TOTP(self._open(principal, bytes(row.sealed_secret)).decode())
            current = epoch_s(now) // STEP_S
            # One step either way, for clocks that differ.
            right = [
                step
                for step in (current - 1, current, current + 1)
                if step > row.last_step
                and secrets.compare_digest(totp.generate_otp(step).encode(), code.strip().encode())
            ]
            if not right:
                await connection.execute(_FAILED, scope)
                return False
            await connection.execute(_TAKEN, scope | {"step": right[0], "now": now})
            if confirming:
                await self._record(connection, principal, "enrolled")
        return True

    async def _record(self, connection: AsyncConnection, principal: Principal, kind: str) -> None:
        event = AuditEvent("user", principal.user_id, f"totp.{kind}", {}, principal.user_id)
        await audit.append(
            connection,
            principal.organization_id,
            [event],
            now=self._clock(),
            new_id=self._new_id,
        )

    def _seal(self, principal: Principal, secret: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, secret, _bound_to(principal))

    def _open(self, principal: Principal, sealed: bytes) -> bytes:
        try:
            return self._aead.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound_to(principal)
            )
        except InvalidTag as error:
            raise InvariantViolated(
                "TOTP_SEALED", "an authenticator's secret was sealed by another key; enrol again"
            ) from error


def _bound_to(principal: Principal) -> bytes:
    return principal.organization_id.bytes + principal.user_id.bytes


def _scope(principal: Principal) -> dict[str, object]:
    return {"organization_id": principal.organization_id, "user_id": principal.user_id}
