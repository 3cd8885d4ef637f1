"""Owns the use cases of identity: sign-in, sessions, login links, users.

Must never keep or log a credential, nor tell a stranger which half of one was wrong.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.identity import session_store, store
from treasurer.identity.errors import NotAuthenticated
from treasurer.identity.links import link_refused, new_link, parse_link
from treasurer.identity.model import (
    ACCESS_LIFETIME,
    BROWSER_LIFETIME,
    LINK_LIFETIME,
    REFRESH_LIFETIME,
    BrowserSession,
    Session,
    User,
    UserState,
    require_email,
    require_name,
    require_password,
    require_roles,
)
from treasurer.identity.passwords import Passwords
from treasurer.identity.throttle import SignInThrottle
from treasurer.identity.tokens import TokenClaims, TokenSigner, TokenUse
from treasurer.identity.verified import Verified, VerifiedTokens
from treasurer.kernel.clock import Clock
from treasurer.kernel.digest import digest
from treasurer.kernel.errors import Conflict, NotFound
from treasurer.kernel.ids import NewId, OrganizationId, UserId
from treasurer.kernel.organization import Permission, Principal, PrincipalKind, Role


class IdentityService:
    def __init__(
        self,
        *,
        database: Database,
        signer: TokenSigner,
        passwords: Passwords,
        throttle: SignInThrottle,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._signer = signer
        self._passwords = passwords
        self._throttle = throttle
        self._clock = clock
        self._new_id = new_id
        self._verified = VerifiedTokens(clock)

    async def sign_in(self, email: str, password: str, *, address: str) -> Session:
        """A program's session. `address` is where the attempt comes from, for the throttle.

        Raises NotAuthenticated, or TooManyAttempts with `retry_after_s`.
        """
        user = await self._authenticate(email, password, address)
        return await self._open_session(user, by="password")

    async def sign_in_browser(self, email: str, password: str, *, address: str) -> BrowserSession:
        """As `sign_in`, for a browser's cookie."""
        user = await self._authenticate(email, password, address)
        async with self._database.unit(user.organization_id) as connection:
            return await self._open_browser_session(connection, user, by="password")

    async def session_for(self, email: str) -> Session:
        """A session without a password, for who holds the machine: `treasurer token --user`."""
        return await self._open_session(await self.user_of(email), by="command line")

    async def login_link(self, email: str) -> str:
        """A single-use token, valid for LINK_LIFETIME, that signs this user in by a browser."""
        user = await self.user_of(email)
        token, token_hash = new_link(user.organization_id)
        async with self._database.unit(user.organization_id) as connection:
            await session_store.insert_link(
                connection, user, token_hash=token_hash, expires_at=self._clock() + LINK_LIFETIME
            )
        return token

    async def redeem_link(self, token: str) -> BrowserSession:
        """Spend a login link. Raises NotAuthenticated the second time, and when it is too late."""
        organization_id, token_hash = parse_link(token)
        async with self._database.unit(organization_id) as connection:
            user_id = await session_store.use_link(
                connection, organization_id, token_hash, now=self._clock()
            )
            user = user_id and await store.get_user(connection, organization_id, user_id)
            if not user or user.state is not UserState.ACTIVE:
                raise link_refused()
            return await self._open_browser_session(connection, user, by="login link")

    async def refresh(self, refresh_token: str) -> Session:
        """New tokens for a session; the old refresh token is spent.

        A spent one that comes back was copied, so the session ends for both holders (RFC 9700,
        section 4.14.2).
        """
        claims = self._signer.verify(refresh_token, TokenUse.REFRESH)
        fresh, now = self._new_id(), self._clock()
        async with self._database.unit(claims.organization_id) as connection:
            user = await self._session_user(connection, claims)
            expires_at = await session_store.rotate_session(
                connection,
                claims.organization_id,
                claims.session_id,
                old_hash=digest(claims.id.bytes),
                new_hash=digest(fresh.bytes),
                now=now,
            )
        if expires_at is None:
            await self._revoke(claims)
            raise NotAuthenticated(
                "REFRESH_TOKEN_SPENT",
                "this refresh token was used before, so its session was ended; sign in again",
            )
        return self._session(user, claims.session_id, fresh, now, expires_at)

    async def sign_out(self, token: str, use: TokenUse) -> None:
        """End the token's session; all of its tokens stop working."""
        await self._revoke(self._signer.verify(token, use))

    async def principal_from_token(self, token: str, use: TokenUse = TokenUse.ACCESS) -> Principal:
        """Who a token speaks for. Raises NotAuthenticated for a forged, ended or revoked one.

        Roles are read with the session, so a change of roles takes effect within seconds.
        """
        known = self._verified.find(token, use)
        if known:
            return known.principal

        async def verify() -> Verified:
            claims = self._signer.verify(token, use)
            async with self._database.unit(claims.organization_id) as connection:
                user = await self._session_user(connection, claims)
            return Verified(claims, replace(user.principal, session_id=claims.session_id))

        return (await self._verified.look_up(token, use, verify)).principal

    async def profile(self, principal: Principal) -> User:
        """The principal's own user."""
        async with self._database.unit(principal.organization_id) as connection:
            user = await store.get_user(connection, principal.organization_id, principal.user_id)
        if user is None:
            raise NotFound("USER_UNKNOWN", "there is no such user; ask an administrator")
        return user

    async def create_user(
        self,
        actor: Principal,
        *,
        email: str,
        name: str,
        roles: frozenset[Role],
        password: str | None = None,
        kind: PrincipalKind = PrincipalKind.HUMAN,
    ) -> User:
        """Add a user to the actor's organization; without a password, login links open the door.

        Raises NotPermitted, InvalidInput, or Conflict EMAIL_TAKEN.
        """
        actor.require(Permission.ADMIN_ALL)
        user = User(
            organization_id=actor.organization_id,
            id=UserId(self._new_id()),
            email=require_email(email),
            name=require_name(name),
            kind=kind,
            state=UserState.ACTIVE,
            roles=require_roles(roles),
            created_at=self._clock(),
        )
        hashed = await self._passwords.hash(require_password(password)) if password else None
        async with self._database.unit(actor.organization_id) as connection:
            if not await store.insert_user(connection, user, password_hash=hashed):
                raise Conflict(
                    "EMAIL_TAKEN", "a user with this e-mail address exists; choose another address"
                )
            await self._record(
                connection,
                actor.organization_id,
                AuditEvent(
                    "user",
                    user.id,
                    "user.created",
                    {
                        "email": user.email,
                        "name": user.name,
                        "kind": user.kind.value,
                        "roles": sorted(role.value for role in user.roles),
                    },
                    actor.user_id,
                ),
            )
        return user

    async def _authenticate(self, email: str, password: str, address: str) -> User:
        await self._throttle.attempt(email, address)
        found = await self._credentials(email)
        # The work is the same for unknown users: see Passwords.matches.
        matches = await self._passwords.matches(password, found.password_hash if found else None)
        if not (found and matches and found.user.state is UserState.ACTIVE):
            raise NotAuthenticated(
                "CREDENTIALS_REFUSED", "the e-mail address or the password is wrong; try again"
            )
        await self._throttle.succeeded(email, address)
        return found.user

    async def _credentials(self, email: str) -> store.Credentials | None:
        if "\0" in email:
            return None  # no text of PostgreSQL holds one, so nobody has such an address
        async with self._database.unscoped() as connection:
            organization_id = await store.organization_of_email(connection, email.strip())
        if organization_id is None:
            return None
        async with self._database.unit(organization_id) as connection:
            return await store.credentials(connection, organization_id, email.strip())

    async def user_of(self, email: str) -> User:
        """The active user of that address, for who holds the machine. Raises NotFound."""
        found = await self._credentials(email)
        if found is None or found.user.state is not UserState.ACTIVE:
            raise NotFound("USER_UNKNOWN", f"no active user has the e-mail address {email}")
        return found.user

    async def _open_session(self, user: User, *, by: str) -> Session:
        session_id, refresh_id, now = self._new_id(), self._new_id(), self._clock()
        expires_at = now + REFRESH_LIFETIME
        async with self._database.unit(user.organization_id) as connection:
            await self._insert_session(
                connection, user, session_id, refresh_id, now, expires_at, by
            )
        return self._session(user, session_id, refresh_id, now, expires_at)

    async def _open_browser_session(
        self, connection: AsyncConnection, user: User, *, by: str
    ) -> BrowserSession:
        session_id, token_id, now = self._new_id(), self._new_id(), self._clock()
        expires_at = now + BROWSER_LIFETIME
        await self._insert_session(connection, user, session_id, token_id, now, expires_at, by)
        cookie = self._issue(user, session_id, TokenUse.BROWSER, token_id, expires_at)
        return BrowserSession(session_id, user.principal, cookie, expires_at)

    async def _insert_session(
        self,
        connection: AsyncConnection,
        user: User,
        session_id: UUID,
        token_id: UUID,
        now: datetime,
        expires_at: datetime,
        by: str,
    ) -> None:
        await session_store.insert_session(
            connection,
            user,
            session_id=session_id,
            token_hash=digest(token_id.bytes),
            now=now,
            expires_at=expires_at,
        )
        event = AuditEvent("session", session_id, "session.opened", {"by": by}, user.id)
        await self._record(connection, user.organization_id, event)

    def _session(
        self, user: User, session_id: UUID, refresh_id: UUID, now: datetime, expires_at: datetime
    ) -> Session:
        access_expires_at = min(now + ACCESS_LIFETIME, expires_at)
        return Session(
            id=session_id,
            principal=user.principal,
            access_token=self._issue(
                user, session_id, TokenUse.ACCESS, self._new_id(), access_expires_at
            ),
            access_expires_at=access_expires_at,
            refresh_token=self._issue(user, session_id, TokenUse.REFRESH, refresh_id, expires_at),
            expires_at=expires_at,
        )

    def _issue(
        self, user: User, session_id: UUID, use: TokenUse, token_id: UUID, expires_at: datetime
    ) -> str:
        return self._signer.issue(
            TokenClaims(user.organization_id, user.id, session_id, use, token_id, expires_at)
        )

    async def _session_user(self, connection: AsyncConnection, claims: TokenClaims) -> User:
        user = await session_store.session_user(
            connection,
            claims.organization_id,
            session_id=claims.session_id,
            user_id=claims.user_id,
            now=self._clock(),
        )
        if user is None:
            raise NotAuthenticated("SESSION_ENDED", "this session has ended; sign in again")
        return user

    async def _revoke(self, claims: TokenClaims) -> None:
        async with self._database.unit(claims.organization_id) as connection:
            if await session_store.revoke_session(
                connection, claims.organization_id, claims.session_id, now=self._clock()
            ):
                event = AuditEvent(
                    "session", claims.session_id, "session.ended", {}, claims.user_id
                )
                await self._record(connection, claims.organization_id, event)
        self._verified.forget_session(claims.session_id)

    async def _record(
        self, connection: AsyncConnection, organization_id: OrganizationId, event: AuditEvent
    ) -> None:
        await audit.append(
            connection, organization_id, [event], now=self._clock(), new_id=self._new_id
        )
