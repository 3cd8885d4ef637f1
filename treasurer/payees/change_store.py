"""Owns the SQL of changes of payees' details. Must never apply one by itself: see `changes`."""

from datetime import datetime

import orjson
from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import OrganizationId, PayeeId, UserId
from treasurer.payees.change import ChangeState, PayeeChange, PayeeChangeId
from treasurer.payees.model import Payee
from treasurer.payees.names import name_key, name_skeleton

_COLUMNS = """id, payee_id, details, former, state, proposed_by, proposed_at, decided_by,
    decided_at, call_back, cooling_off_until"""
_INSERT = text("""
    INSERT INTO payee_changes (organization_id, id, payee_id, details, former, state, proposed_by,
                               proposed_at)
    VALUES (:organization_id, :id, :payee_id, CAST(:details AS jsonb), CAST(:former AS jsonb),
            :state, :proposed_by, :proposed_at)
""")
_OF = text(f"""
    SELECT {_COLUMNS} FROM payee_changes
    WHERE organization_id = :organization_id AND payee_id = :payee_id ORDER BY id DESC LIMIT 50
""")
_GET = text(f"""
    SELECT {_COLUMNS} FROM payee_changes
    WHERE organization_id = :organization_id AND payee_id = :payee_id AND id = :id
""")
_DECIDE = text("""
    UPDATE payee_changes SET state = :state, decided_by = :decided_by, decided_at = :decided_at,
        call_back = CAST(:call_back AS jsonb), cooling_off_until = :cooling_off_until
    WHERE organization_id = :organization_id AND id = :id AND state = 'proposed'
""")
_APPLY = text("""
    UPDATE payees SET name = :name, name_key = :name_key, name_skeleton = :name_skeleton,
        vat_id = :vat_id, iban = :iban, email = :email, phone = :phone,
        cooling_off_until = greatest(cooling_off_until, :cooling_off_until)
    WHERE organization_id = :organization_id AND id = :id
""")
_CHANGERS = text("""
    SELECT DISTINCT proposed_by FROM payee_changes
    WHERE organization_id = :organization_id AND payee_id = :payee_id AND state = 'confirmed'
      AND cooling_off_until > :now
""")


async def insert(
    connection: AsyncConnection, organization_id: OrganizationId, change: PayeeChange
) -> None:
    """Store a proposal. IntegrityError when the payee has an open one."""
    await connection.execute(
        _INSERT,
        {
            "organization_id": organization_id,
            "id": change.id,
            "payee_id": change.payee_id,
            "details": orjson.dumps(dict(change.details)).decode(),
            "former": orjson.dumps(dict(change.former)).decode(),
            "state": change.state.value,
            "proposed_by": change.proposed_by,
            "proposed_at": change.proposed_at,
        },
    )


async def of_payee(
    connection: AsyncConnection, organization_id: OrganizationId, payee_id: PayeeId
) -> list[PayeeChange]:
    """The payee's changes, newest first."""
    rows = await connection.execute(_OF, {"organization_id": organization_id, "payee_id": payee_id})
    return [_change(row) for row in rows.mappings()]


async def get(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    payee_id: PayeeId,
    change_id: PayeeChangeId,
) -> PayeeChange | None:
    """One change of that payee; its payee's lock is what orders decisions."""
    rows = await connection.execute(
        _GET, {"organization_id": organization_id, "payee_id": payee_id, "id": change_id}
    )
    row = rows.mappings().one_or_none()
    return _change(row) if row else None


async def decide(
    connection: AsyncConnection, organization_id: OrganizationId, change: PayeeChange
) -> None:
    """Write how a proposed change ended."""
    call_back = change.call_back
    await connection.execute(
        _DECIDE,
        {
            "organization_id": organization_id,
            "id": change.id,
            "state": change.state.value,
            "decided_by": change.decided_by,
            "decided_at": change.decided_at,
            "call_back": None if call_back is None else orjson.dumps(dict(call_back)).decode(),
            "cooling_off_until": change.cooling_off_until,
        },
    )


async def apply(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    payee: Payee,
    cooling_off_until: datetime,
) -> None:
    """Write the payee's details as they are now; nothing is paid to it before `cooling_off_until`."""
    await connection.execute(
        _APPLY,
        {
            "organization_id": organization_id,
            "id": payee.id,
            "name": payee.name,
            "name_key": name_key(payee.name),
            "name_skeleton": name_skeleton(payee.name),
            "vat_id": payee.vat_id,
            "iban": payee.iban,
            "email": payee.email,
            "phone": payee.phone,
            "cooling_off_until": cooling_off_until,
        },
    )


async def changers(
    connection: AsyncConnection, organization_id: OrganizationId, payee_id: PayeeId, now: datetime
) -> frozenset[UserId]:
    """Who changed the payee's details within their cooling-off: they do not count (I12)."""
    rows = await connection.execute(
        _CHANGERS, {"organization_id": organization_id, "payee_id": payee_id, "now": now}
    )
    return frozenset(UserId(user_id) for user_id in rows.scalars())


def _change(row: RowMapping) -> PayeeChange:
    return PayeeChange(
        id=PayeeChangeId(row["id"]),
        payee_id=PayeeId(row["payee_id"]),
        details=row["details"],
        former=row["former"],
        state=ChangeState(row["state"]),
        proposed_by=UserId(row["proposed_by"]),
        proposed_at=row["proposed_at"],
        decided_by=None if row["decided_by"] is None else UserId(row["decided_by"]),
        decided_at=row["decided_at"],
        call_back=row["call_back"],
        cooling_off_until=row["cooling_off_until"],
    )
