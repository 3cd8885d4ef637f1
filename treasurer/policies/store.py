"""Owns the SQL of policy sets. Must never change a stored document."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import OrganizationId, PolicySetId, UserId
from treasurer.kernel.money import Asset
from treasurer.policies.model import PolicySetState, StoredPolicySet

COLUMNS = """id, organization_id, version, digest, document, state, created_by, created_at,
    activated_by, activated_at"""

# Writers of policy sets wait for each other here, so that versions are gapless. Readers and other
# nouns' foreign keys are not held up.
_LOCK = text("""
    SELECT reporting_currency, reporting_decimals FROM organizations
    WHERE id = :organization_id FOR NO KEY UPDATE
""")
_NEXT_VERSION = text("""
    SELECT coalesce(max(version), 0) + 1 FROM policy_sets WHERE organization_id = :organization_id
""")
_INSERT = text("""
    INSERT INTO policy_sets (organization_id, id, version, digest, document, state, created_by,
                             created_at, activated_by, activated_at)
    VALUES (:organization_id, :id, :version, :digest, :document, :state, :created_by, :created_at,
            :activated_by, :activated_at)
""")
_ACTIVE_DIGEST = text("""
    SELECT digest, activated_at FROM policy_sets
    WHERE organization_id = :organization_id AND state = 'active'
""")
_ACTIVE = text(f"""
    SELECT {COLUMNS} FROM policy_sets
    WHERE organization_id = :organization_id AND state = 'active'
""")
_GET = text(f"""
    SELECT {COLUMNS} FROM policy_sets WHERE organization_id = :organization_id AND id = :id
""")
_DOCUMENT = text("""
    SELECT document FROM policy_sets WHERE organization_id = :organization_id AND digest = :digest
    ORDER BY version LIMIT 1
""")
_VERSION = text(f"""
    SELECT {COLUMNS} FROM policy_sets
    WHERE organization_id = :organization_id AND version = :version
""")
_HISTORY = text(f"""
    SELECT {COLUMNS} FROM policy_sets
    WHERE organization_id = :organization_id
      AND (CAST(:before AS integer) IS NULL OR version < :before)
    ORDER BY version DESC LIMIT :most
""")


async def lock(connection: AsyncConnection, organization_id: OrganizationId) -> Asset | None:
    """The organization's reporting currency, its policy sets locked for other writers."""
    row = (await connection.execute(_LOCK, {"organization_id": organization_id})).one_or_none()
    return Asset(row.reporting_currency, row.reporting_decimals) if row else None


async def next_version(connection: AsyncConnection, organization_id: OrganizationId) -> int:
    """The version after the newest; the caller holds the lock."""
    row = await connection.execute(_NEXT_VERSION, {"organization_id": organization_id})
    return int(row.scalar_one())


async def insert(connection: AsyncConnection, stored: StoredPolicySet) -> None:
    """Store a version. A second active one breaks a unique index."""
    await connection.execute(
        _INSERT,
        {
            "organization_id": stored.organization_id,
            "id": stored.id,
            "version": stored.version,
            "digest": stored.digest,
            "document": stored.document,
            "state": stored.state.value,
            "created_by": stored.created_by,
            "created_at": stored.created_at,
            "activated_by": stored.activated_by,
            "activated_at": stored.activated_at,
        },
    )


async def active_digest(
    connection: AsyncConnection, organization_id: OrganizationId
) -> tuple[bytes, datetime] | None:
    """The digest of the active set, and since when it is: all that a warm cache needs."""
    rows = await connection.execute(_ACTIVE_DIGEST, {"organization_id": organization_id})
    row = rows.one_or_none()
    return None if row is None else (bytes(row.digest), row.activated_at)


async def active(
    connection: AsyncConnection, organization_id: OrganizationId
) -> StoredPolicySet | None:
    """The active set, or None before the first."""
    rows = await connection.execute(_ACTIVE, {"organization_id": organization_id})
    row = rows.mappings().one_or_none()
    return stored_from(row) if row else None


async def get(
    connection: AsyncConnection, organization_id: OrganizationId, policy_set_id: PolicySetId
) -> StoredPolicySet | None:
    """One version."""
    rows = await connection.execute(_GET, {"organization_id": organization_id, "id": policy_set_id})
    row = rows.mappings().one_or_none()
    return stored_from(row) if row else None


async def by_version(
    connection: AsyncConnection, organization_id: OrganizationId, version: int
) -> StoredPolicySet | None:
    """The set of that number."""
    rows = await connection.execute(
        _VERSION, {"organization_id": organization_id, "version": version}
    )
    row = rows.mappings().one_or_none()
    return stored_from(row) if row else None


async def document_of(
    connection: AsyncConnection, organization_id: OrganizationId, digest: bytes
) -> bytes | None:
    """The canonical bytes of that digest, whatever became of the set."""
    rows = await connection.execute(
        _DOCUMENT, {"organization_id": organization_id, "digest": digest}
    )
    found = rows.scalar_one_or_none()
    return None if found is None else bytes(found)


async def history(
    connection: AsyncConnection, organization_id: OrganizationId, *, before: int | None, most: int
) -> list[StoredPolicySet]:
    """Newest versions first, keyset by version."""
    rows = await connection.execute(
        _HISTORY, {"organization_id": organization_id, "before": before, "most": most}
    )
    return [stored_from(row) for row in rows.mappings()]


def stored_from(row: RowMapping) -> StoredPolicySet:
    """The row of `COLUMNS` as a stored set."""
    return StoredPolicySet(
        id=PolicySetId(row["id"]),
        organization_id=OrganizationId(row["organization_id"]),
        version=row["version"],
        digest=bytes(row["digest"]),
        document=bytes(row["document"]),
        state=PolicySetState(row["state"]),
        created_by=UserId(row["created_by"]),
        created_at=row["created_at"],
        activated_by=UserId(row["activated_by"]) if row["activated_by"] else None,
        activated_at=row["activated_at"],
    )
