"""Owns the types of people and their sessions. Pure; must never carry a password or its hash."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import OrganizationId, UserId
from treasurer.kernel.organization import Principal, PrincipalKind, Role

ACCESS_LIFETIME = timedelta(minutes=15)
"""How long an access token serves before it must be refreshed."""

REFRESH_LIFETIME = timedelta(days=14)
"""How long a program's session lives; each refresh keeps the session's end."""

BROWSER_LIFETIME = timedelta(hours=12)
"""How long a browser stays signed in: a working day."""

LINK_LIFETIME = timedelta(minutes=15)

PASSWORD_LENGTH = range(12, 129)
"""NIST SP 800-63B: length, not composition. The upper end bounds the hashing work."""

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>,;]+@[^@\s\x00-\x1f\x7f<>,;]+", re.ASCII)


class UserState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class User:
    """A person, an agent or a program of one organization."""

    organization_id: OrganizationId
    id: UserId
    email: str
    name: str
    kind: PrincipalKind
    state: UserState
    roles: frozenset[Role]
    created_at: datetime

    @property
    def principal(self) -> Principal:
        return Principal(self.organization_id, self.id, self.kind, self.roles)


@dataclass(frozen=True, slots=True)
class Session:
    """A program's sign-in. Tokens are secrets: they go to the caller and nowhere else."""

    id: UUID
    principal: Principal
    access_token: str
    access_expires_at: datetime
    refresh_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A person's sign-in by a browser. `cookie` is the value of the session cookie, a secret."""

    id: UUID
    principal: Principal
    cookie: str
    expires_at: datetime


def require_email(email: str) -> str:
    """Return the address without outer blanks; raise InvalidInput when it cannot be one."""
    stripped = email.strip()
    if len(stripped) > 254 or not _EMAIL.fullmatch(stripped):
        raise InvalidInput("EMAIL_SYNTAX", "write one e-mail address, such as cfo@example.com")
    return stripped


def require_name(name: str) -> str:
    """Return the name without outer blanks; raise InvalidInput when it is empty or over 200."""
    stripped = name.strip()
    if not 0 < len(stripped) <= 200 or not stripped.isprintable():
        raise InvalidInput("NAME_SYNTAX", "a name has 1 to 200 printable characters")
    return stripped


def require_password(password: str) -> str:
    """Return `password`; raise InvalidInput unless its length is within PASSWORD_LENGTH."""
    if len(password) not in PASSWORD_LENGTH:
        raise InvalidInput(
            "PASSWORD_LENGTH",
            f"choose a password of {PASSWORD_LENGTH.start} to {PASSWORD_LENGTH.stop - 1} characters",
        )
    return password


def require_roles(roles: frozenset[Role]) -> frozenset[Role]:
    """Return `roles`; raise InvalidInput when there is none, as such a user could do nothing."""
    if not roles:
        raise InvalidInput("ROLES_EMPTY", f"give at least one role of {', '.join(Role)}")
    return roles
