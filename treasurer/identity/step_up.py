"""Owns the second proof of an open session: password or code again, for what weighs more.

Must never take the opening of the session for it, nor count a proof of one session in another: a
copied cookie proves nothing.
"""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.identity import store
from treasurer.identity.errors import NotAuthenticated
from treasurer.identity.passwords import Passwords
from treasurer.identity.throttle import SignInThrottle
from treasurer.identity.totp import TotpCodes
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import NotPermitted
from treasurer.kernel.ids import NewId
from treasurer.kernel.organization import Principal

_STEP_UP = text("""
    UPDATE sessions SET stepped_up_at = :now
    WHERE organization_id = :organization_id AND id = :session_id AND user_id = :user_id
      AND revoked_at IS NULL AND expires_at > :now
    RETURNING id
""")
_STEPPED_UP_AT = text("""
    SELECT stepped_up_at FROM sessions
    WHERE organization_id = :organization_id AND id = :session_id AND user_id = :user_id
      AND revoked_at IS NULL
""")


class StepUp:
    """Takes proofs. Throttled as signing in is, by the same counts."""

    def __init__(
        self,
        *,
        database: Database,
        passwords: Passwords,
        codes: TotpCodes,
        throttle: SignInThrottle,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._codes = codes
        self._throttle = throttle
        self._clock = clock
        self._new_id = new_id

    async def prove(
        self, principal: Principal, *, address: str, password: str = "", code: str = ""
    ) -> None:
        """Note on the principal's session that password or code was given just now.

        Raises NotAuthenticated (CREDENTIALS_REFUSED), TooManyAttempts, Conflict (TOTP_LOCKED),
        NotPermitted.
        """
        found = await self._credentials(principal)
        await self._throttle.attempt(found.user.email, address)
        if code:
            by, right = "code", await self._codes.take(principal, code)
        else:
            by = "password"
            right = await self._passwords.matches(password, found.password_hash)
        if not right:
            raise NotAuthenticated("CREDENTIALS_REFUSED", f"the {by} is wrong; try again")
        await self._throttle.succeeded(found.user.email, address)
        now, organization_id = self._clock(), principal.organization_id
        async with self._database.unit(organization_id) as connection:
            noted = await connection.execute(_STEP_UP, _scope(principal) | {"now": now})
            session_id = noted.scalar_one_or_none()
            if session_id is None:
                raise NotAuthenticated("SESSION_ENDED", "this session has ended; sign in again")
            event = AuditEvent(
                "session", session_id, "session.stepped_up", {"by": by}, principal.user_id
            )
            await audit.append(connection, organization_id, [event], now=now, new_id=self._new_id)

    async def _credentials(self, principal: Principal) -> store.Credentials:
        async with self._database.unit(principal.organization_id) as connection:
            found = await store.credentials_of(
                connection, principal.organization_id, principal.user_id
            )
        if found is None:
            raise NotPermitted("STEP_UP_HUMAN", "there is no such user; sign in as a person")
        return found


async def require_step_up(
    connection: AsyncConnection, principal: Principal, *, within: timedelta, now: datetime
) -> None:
    """Raise NotPermitted STEP_UP_REQUIRED unless the session proved itself `within` that time."""
    rows = await connection.execute(_STEPPED_UP_AT, _scope(principal))
    at = rows.scalar_one_or_none()
    if at is None or not now - within <= at <= now:
        minutes = int(within.total_seconds()) // 60
        raise NotPermitted(
            "STEP_UP_REQUIRED",
            f"give your password or code again, then decide within {minutes} minutes",
        )


def _scope(principal: Principal) -> dict[str, object]:
    return {
        "organization_id": principal.organization_id,
        "session_id": principal.session_id,
        "user_id": principal.user_id,
    }
