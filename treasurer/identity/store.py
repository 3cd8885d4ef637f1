"""Owns the SQL of users and their roles. Must never tell one organization about another's users.

Sign-in begins with an e-mail address alone; the database function behind `organization_of_email`
answers with an id and nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.identity.model import User, UserState
from treasurer.kernel.ids import OrganizationId, UserId
from treasurer.kernel.organization import PrincipalKind, Role

_ORGANIZATION_OF_EMAIL = text("SELECT organization_of_email(:email)")

USER = """SELECT u.organization_id, u.id, u.email, u.name, u.kind, u.state, u.created_at,
    u.password_hash, ARRAY(SELECT r.role FROM user_roles r WHERE r.organization_id =
    u.organization_id AND r.user_id = u.id) AS roles FROM users u"""
_USER_BY_ID = text(f"{USER} WHERE u.organization_id = :organization_id AND u.id = :id")
_USER_BY_EMAIL = text(
    f"{USER} WHERE u.organization_id = :organization_id AND lower(u.email) = lower(:email)"
)
_USERS_WITH_ROLES = text(f"""{USER} WHERE u.organization_id = :organization_id
    AND u.state = 'active' AND EXISTS (SELECT FROM user_roles r
        WHERE r.organization_id = u.organization_id AND r.user_id = u.id AND r.role = ANY(:roles))
    ORDER BY u.id""")
_INSERT_USER = text("""
    INSERT INTO users (organization_id, id, email, name, kind, password_hash, state, created_at)
    VALUES (:organization_id, :id, :email, :name, :kind, :password_hash, :state, :created_at)
    ON CONFLICT DO NOTHING RETURNING id
""")
_INSERT_ROLES = text("""
    INSERT INTO user_roles (organization_id, user_id, role)
    SELECT :organization_id, :user_id, unnest(CAST(:roles AS text[]))
""")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user with what a password is checked against; None where only links open the door."""

    user: User
    password_hash: str | None


async def organization_of_email(connection: AsyncConnection, email: str) -> OrganizationId | None:
    """The organization of the user with that address, whatever its letters' case."""
    found = (await connection.execute(_ORGANIZATION_OF_EMAIL, {"email": email})).scalar_one()
    return OrganizationId(found) if found else None


async def get_user(
    connection: AsyncConnection, organization_id: OrganizationId, user_id: UserId
) -> User | None:
    """The user, disabled or not; None when the organization has no such user."""
    rows = await connection.execute(
        _USER_BY_ID, {"organization_id": organization_id, "id": user_id}
    )
    row = rows.mappings().one_or_none()
    return user_from(row) if row else None


async def credentials(
    connection: AsyncConnection, organization_id: OrganizationId, email: str
) -> Credentials | None:
    """The user of that address and the stored password hash."""
    rows = await connection.execute(
        _USER_BY_EMAIL, {"organization_id": organization_id, "email": email}
    )
    row = rows.mappings().one_or_none()
    return Credentials(user_from(row), row["password_hash"]) if row else None


async def credentials_of(
    connection: AsyncConnection, organization_id: OrganizationId, user_id: UserId
) -> Credentials | None:
    """As `credentials`, by the user's id; None for a user who is not active."""
    rows = await connection.execute(
        _USER_BY_ID, {"organization_id": organization_id, "id": user_id}
    )
    row = rows.mappings().one_or_none()
    if row is None or row["state"] != UserState.ACTIVE:
        return None
    return Credentials(user_from(row), row["password_hash"])


async def users_with_roles(
    connection: AsyncConnection, organization_id: OrganizationId, roles: Iterable[Role]
) -> list[User]:
    """Active users with at least one of `roles`, oldest first."""
    rows = await connection.execute(
        _USERS_WITH_ROLES,
        {"organization_id": organization_id, "roles": [Role(role).value for role in roles]},
    )
    return [user_from(row) for row in rows.mappings()]


async def insert_user(
    connection: AsyncConnection, user: User, *, password_hash: str | None
) -> bool:
    """Store the user and the roles; False when the e-mail address is taken, in any organization."""
    inserted = await connection.execute(
        _INSERT_USER,
        {
            "organization_id": user.organization_id,
            "id": user.id,
            "email": user.email,
            "name": user.name,
            "kind": user.kind.value,
            "password_hash": password_hash,
            "state": user.state.value,
            "created_at": user.created_at,
        },
    )
    if inserted.one_or_none() is None:
        return False
    await connection.execute(
        _INSERT_ROLES,
        {
            "organization_id": user.organization_id,
            "user_id": user.id,
            "roles": sorted(role.value for role in user.roles),
        },
    )
    return True


def user_from(row: RowMapping) -> User:
    """A user of the columns in `USER`."""
    return User(
        organization_id=OrganizationId(row["organization_id"]),
        id=UserId(row["id"]),
        email=row["email"],
        name=row["name"],
        kind=PrincipalKind(row["kind"]),
        state=UserState(row["state"]),
        roles=frozenset(Role(role) for role in row["roles"]),
        created_at=row["created_at"],
    )
