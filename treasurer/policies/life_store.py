"""Owns the SQL of a policy set's life: its states, backtests and sign-offs. Must never touch a document."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import OrganizationId, PolicySetId, UserId
from treasurer.policies.model import LEGAL, PolicySetState, SignOff, StoredPolicySet
from treasurer.policies.store import COLUMNS, stored_from

_NEWEST_OPEN = text(f"""
    SELECT {COLUMNS} FROM policy_sets
    WHERE organization_id = :organization_id AND digest = :digest
      AND (CAST(:id AS uuid) IS NULL OR id = :id)
      AND state IN ('draft', 'simulated', 'signed_off') ORDER BY version DESC LIMIT 1
""")
_MOVE = text(f"""
    UPDATE policy_sets SET state = :after,
        activated_by = CASE WHEN :activates THEN :by ELSE activated_by END,
        activated_at = CASE WHEN :activates THEN CAST(:now AS timestamptz) ELSE activated_at END
    WHERE organization_id = :organization_id AND id = :id AND state = :before
    RETURNING {COLUMNS}
""")
_INSERT_BACKTEST = text("""
    INSERT INTO policy_backtests (organization_id, id, policy_set_id, digest, report, made_by, made_at)
    VALUES (:organization_id, :id, :policy_set_id, :digest, :report, :made_by, :now)
""")
_BACKTEST_MADE_AT = text("""
    SELECT max(made_at) FROM policy_backtests
    WHERE organization_id = :organization_id AND policy_set_id = :policy_set_id AND digest = :digest
""")
_INSERT_SIGN_OFF = text("""
    INSERT INTO policy_sign_offs (organization_id, policy_set_id, user_id, backtest_digest, signed_at)
    VALUES (:organization_id, :policy_set_id, :user_id, :digest, :now) ON CONFLICT DO NOTHING
""")
_SIGN_OFFS = text("""
    SELECT user_id, backtest_digest, signed_at FROM policy_sign_offs
    WHERE organization_id = :organization_id AND policy_set_id = :policy_set_id
    ORDER BY signed_at, user_id
""")


async def newest_open(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    digest: bytes,
    policy_set_id: PolicySetId | None,
) -> StoredPolicySet | None:
    """The newest set of that digest that is not active yet, nor was; where one is named, only that."""
    rows = await connection.execute(
        _NEWEST_OPEN,
        {"organization_id": organization_id, "digest": digest, "id": policy_set_id},
    )
    row = rows.mappings().one_or_none()
    return stored_from(row) if row else None


async def move(
    connection: AsyncConnection,
    stored: StoredPolicySet,
    after: PolicySetState,
    *,
    by: UserId,
    now: datetime,
) -> StoredPolicySet | None:
    """Move a set on; None when it is not in its state any more or may not go there."""
    if after not in LEGAL[stored.state]:
        return None
    rows = await connection.execute(
        _MOVE,
        {
            "organization_id": stored.organization_id,
            "id": stored.id,
            "before": stored.state.value,
            "after": after.value,
            "activates": after is PolicySetState.ACTIVE,
            "by": by,
            "now": now,
        },
    )
    row = rows.mappings().one_or_none()
    return stored_from(row) if row else None


async def insert_backtest(
    connection: AsyncConnection,
    stored: StoredPolicySet,
    digest: bytes,
    report: bytes,
    made_by: UserId,
    now: datetime,
    id_: UUID,
) -> None:
    """Keep a report; the same report made again is another row, with a later time."""
    await connection.execute(
        _INSERT_BACKTEST,
        {
            "organization_id": stored.organization_id,
            "id": id_,
            "policy_set_id": stored.id,
            "digest": digest,
            "report": report,
            "made_by": made_by,
            "now": now,
        },
    )


async def backtest_made_at(
    connection: AsyncConnection, stored: StoredPolicySet, digest: bytes
) -> datetime | None:
    """When the set's backtest of that digest was made last; None if it has none such."""
    rows = await connection.execute(
        _BACKTEST_MADE_AT,
        {
            "organization_id": stored.organization_id,
            "policy_set_id": stored.id,
            "digest": digest,
        },
    )
    made_at: datetime | None = rows.scalar_one()
    return made_at


async def insert_sign_off(
    connection: AsyncConnection,
    stored: StoredPolicySet,
    user_id: UserId,
    digest: bytes,
    now: datetime,
) -> bool:
    """Keep one sign-off a person; False when that person signed before."""
    result = await connection.execute(
        _INSERT_SIGN_OFF,
        {
            "organization_id": stored.organization_id,
            "policy_set_id": stored.id,
            "user_id": user_id,
            "digest": digest,
            "now": now,
        },
    )
    return result.rowcount == 1


async def sign_offs(
    connection: AsyncConnection, organization_id: OrganizationId, policy_set_id: PolicySetId
) -> list[SignOff]:
    """Who signed, in their order."""
    rows = await connection.execute(
        _SIGN_OFFS, {"organization_id": organization_id, "policy_set_id": policy_set_id}
    )
    return [SignOff(UserId(row.user_id), bytes(row.backtest_digest), row.signed_at) for row in rows]
