"""Owns the SQL of sessions and login links. Must never store a secret: hashes only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.identity.model import User
from treasurer.identity.store import USER, user_from
from treasurer.kernel.ids import OrganizationId, UserId

_INSERT_SESSION = text("""
    INSERT INTO sessions (organization_id, id, user_id, token_hash, created_at, expires_at)
    VALUES (:organization_id, :id, :user_id, :token_hash, :now, :expires_at)
""")
_SESSION_USER = text(f"""{USER} JOIN sessions s
      ON s.organization_id = u.organization_id AND s.user_id = u.id
    WHERE u.organization_id = :organization_id AND s.id = :session_id AND u.id = :user_id
      AND u.state = 'active' AND s.revoked_at IS NULL AND s.expires_at > :now""")
_ROTATE = text("""
    UPDATE sessions SET token_hash = :new_hash
    WHERE organization_id = :organization_id AND id = :session_id AND token_hash = :old_hash
      AND revoked_at IS NULL AND expires_at > :now
    RETURNING expires_at
""")
_REVOKE = text("""
    UPDATE sessions SET revoked_at = :now
    WHERE organization_id = :organization_id AND id = :session_id AND revoked_at IS NULL
    RETURNING user_id
""")
_INSERT_LINK = text("""
    INSERT INTO login_links (organization_id, token_hash, user_id, expires_at)
    VALUES (:organization_id, :token_hash, :user_id, :expires_at)
""")
_USE_LINK = text("""
    UPDATE login_links SET used_at = :now
    WHERE organization_id = :organization_id AND token_hash = :token_hash AND used_at IS NULL
      AND expires_at > :now
    RETURNING user_id
""")


async def insert_session(
    connection: AsyncConnection,
    user: User,
    *,
    session_id: UUID,
    token_hash: bytes,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Open a session. `token_hash` is of the one refresh or browser token that is valid for it."""
    await connection.execute(
        _INSERT_SESSION,
        {
            "organization_id": user.organization_id,
            "id": session_id,
            "user_id": user.id,
            "token_hash": token_hash,
            "now": now,
            "expires_at": expires_at,
        },
    )


async def session_user(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    *,
    session_id: UUID,
    user_id: UserId,
    now: datetime,
) -> User | None:
    """The active user of a live session; None once it ended or was revoked."""
    rows = await connection.execute(
        _SESSION_USER,
        {
            "organization_id": organization_id,
            "session_id": session_id,
            "user_id": user_id,
            "now": now,
        },
    )
    row = rows.mappings().one_or_none()
    return user_from(row) if row else None


async def rotate_session(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    session_id: UUID,
    *,
    old_hash: bytes,
    new_hash: bytes,
    now: datetime,
) -> datetime | None:
    """Replace the session's token; its end, or None when `old_hash` is not the valid one."""
    rotated = await connection.execute(
        _ROTATE,
        {
            "organization_id": organization_id,
            "session_id": session_id,
            "old_hash": old_hash,
            "new_hash": new_hash,
            "now": now,
        },
    )
    return rotated.scalar_one_or_none()


async def revoke_session(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    session_id: UUID,
    *,
    now: datetime,
) -> bool:
    """End a session for good; False when it had ended already."""
    revoked = await connection.execute(
        _REVOKE, {"organization_id": organization_id, "session_id": session_id, "now": now}
    )
    return revoked.one_or_none() is not None


async def insert_link(
    connection: AsyncConnection, user: User, *, token_hash: bytes, expires_at: datetime
) -> None:
    """Store a login link by the hash of its secret."""
    await connection.execute(
        _INSERT_LINK,
        {
            "organization_id": user.organization_id,
            "token_hash": token_hash,
            "user_id": user.id,
            "expires_at": expires_at,
        },
    )


async def use_link(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    token_hash: bytes,
    *,
    now: datetime,
) -> UserId | None:
    """Spend a link: its user, once; None for an unknown, used or expired one."""
    used = await connection.execute(
        _USE_LINK, {"organization_id": organization_id, "token_hash": token_hash, "now": now}
    )
    user_id = used.scalar_one_or_none()
    return UserId(user_id) if user_id else None
