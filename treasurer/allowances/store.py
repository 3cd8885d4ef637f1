"""Owns the SQL of allowances. Must never move one from a state that the caller did not name."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.allowances.model import Allowance, AllowanceState
from treasurer.kernel.allowance_order import parse_allowance_order
from treasurer.kernel.ids import AllowanceId, OrganizationId, UserId

_COLUMNS = "id, order_bytes, state, proposed_by, proposed_at, confirmed_by, result"
_PROPOSE = text("""
    INSERT INTO allowances (organization_id, id, order_bytes, state, proposed_by, proposed_at)
    VALUES (:organization_id, :id, :order_bytes, 'proposed', :user_id, :now)
""")
_ONE = text(f"""
    SELECT {_COLUMNS} FROM allowances
    WHERE organization_id = :organization_id AND id = :id FOR UPDATE
""")
_PAGE = text(f"""
    SELECT {_COLUMNS} FROM allowances WHERE organization_id = :organization_id
    ORDER BY id DESC LIMIT 100
""")
_CONFIRM = text("""
    UPDATE allowances SET state = 'confirmed', confirmed_by = :user_id
    WHERE organization_id = :organization_id AND id = :id AND state = 'proposed'
""")
_MOVE = text("""
    UPDATE allowances SET state = :after, result = :result
    WHERE organization_id = :organization_id AND id = ANY(:ids) AND state = :before
    RETURNING id
""")
_CONFIRMED = text("""
    SELECT organization_id, id FROM allowances WHERE state = 'confirmed' ORDER BY id LIMIT 50
""")


async def propose(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    allowance: Allowance,
) -> None:
    """Store a proposal."""
    await connection.execute(
        _PROPOSE,
        {
            "organization_id": organization_id,
            "id": allowance.id,
            "order_bytes": allowance.order.canonical_bytes(),
            "user_id": allowance.proposed_by,
            "now": allowance.proposed_at,
        },
    )


async def lock(
    connection: AsyncConnection, organization_id: OrganizationId, allowance_id: AllowanceId
) -> Allowance | None:
    """The allowance, held until the commit."""
    rows = await connection.execute(_ONE, {"organization_id": organization_id, "id": allowance_id})
    row = rows.mappings().one_or_none()
    return _allowance(row) if row else None


async def page(connection: AsyncConnection, organization_id: OrganizationId) -> list[Allowance]:
    """The newest hundred, newest first."""
    rows = await connection.execute(_PAGE, {"organization_id": organization_id})
    return [_allowance(row) for row in rows.mappings()]


async def confirm(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    allowance_id: AllowanceId,
    user_id: UserId,
) -> None:
    """Write the second person down."""
    await connection.execute(
        _CONFIRM, {"organization_id": organization_id, "id": allowance_id, "user_id": user_id}
    )


async def move(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    ids: Sequence[AllowanceId],
    before: AllowanceState,
    after: AllowanceState,
    result: str = "",
) -> int:
    """Move those of `ids` that are in `before`; return how many were."""
    rows = await connection.execute(
        _MOVE,
        {
            "organization_id": organization_id,
            "ids": list(ids),
            "before": before.value,
            "after": after.value,
            "result": result,
        },
    )
    return len(rows.all())


async def confirmed(connection: AsyncConnection) -> list[tuple[OrganizationId, AllowanceId]]:
    """Allowances that two people agreed on and that have no transfer yet; as the system role."""
    rows = await connection.execute(_CONFIRMED)
    return [(OrganizationId(row[0]), AllowanceId(row[1])) for row in rows]


def _allowance(row: RowMapping) -> Allowance:
    confirmed_by = row["confirmed_by"]
    return Allowance(
        id=AllowanceId(row["id"]),
        order=parse_allowance_order(bytes(row["order_bytes"])),
        state=AllowanceState(row["state"]),
        proposed_by=UserId(row["proposed_by"]),
        proposed_at=row["proposed_at"],
        confirmed_by=UserId(confirmed_by) if confirmed_by else None,
        result=row["result"],
    )
