"""Owns the names behind ids, for pages and reports. Must never tell another organization's people."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import OrganizationId, UserId
from treasurer.kernel.organization import PrincipalKind

_NAMES = text("""
    SELECT id, name, kind FROM users
    WHERE organization_id = :organization_id AND id = ANY(CAST(:ids AS uuid[]))
""")


@dataclass(frozen=True, slots=True)
class Person:
    """A user's name and kind, without roles or address."""

    id: UserId
    name: str
    kind: PrincipalKind


async def names(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Iterable[UUID | None]
) -> Mapping[UUID, Person]:
    """The users of those ids; unknown ones and None are left out."""
    wanted = sorted({user_id for user_id in ids if user_id is not None})
    if not wanted:
        return {}
    rows = await connection.execute(_NAMES, {"organization_id": organization_id, "ids": wanted})
    return {
        row["id"]: Person(UserId(row["id"]), row["name"], PrincipalKind(row["kind"]))
        for row in rows.mappings()
    }
