"""Owns the form of single-use login links. Must never store a secret: only its hash.

The organization's id leads the token, because the row that it opens is visible within it only.
"""

import secrets
from uuid import UUID

from treasurer.identity.errors import NotAuthenticated
from treasurer.kernel.digest import digest
from treasurer.kernel.ids import OrganizationId


def new_link(organization_id: OrganizationId) -> tuple[str, bytes]:
    """A fresh token of 256 random bits, safe in a URL, and the hash to store."""
    secret = secrets.token_urlsafe(32)
    return f"{organization_id.hex}.{secret}", digest(secret.encode())


def parse_link(token: str) -> tuple[OrganizationId, bytes]:
    """The organization and the secret's hash. Raises NotAuthenticated for another form."""
    organization, _, secret = token.partition(".")
    try:
        return OrganizationId(UUID(hex=organization)), digest(secret.encode("ascii"))
    except ValueError as error:
        raise link_refused() from error


def link_refused() -> NotAuthenticated:
    """One answer for unknown, used and expired links."""
    return NotAuthenticated(
        "LINK_INVALID", "this login link was used or has expired; ask for a new one"
    )
