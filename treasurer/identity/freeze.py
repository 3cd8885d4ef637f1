"""Owns the organization's stop: while it is frozen nothing new is reserved, slotted, signed or sent.

Must never stop what is out already: cancels, confirmations and settlement go on. One person freezes,
in haste and without another's consent; only an administrator lifts it, and both say why.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.kernel.errors import InvalidInput, NotPermitted
from treasurer.kernel.ids import NewId, OrganizationId
from treasurer.kernel.organization import Permission, Principal, PrincipalKind

MOST_REASON_CHARACTERS = 500
FROZEN, UNFROZEN = "organization.frozen", "organization.unfrozen"

# The saga reads this column at each step, in the statement that lets the step go on.
_SET = text("UPDATE organizations SET frozen = :frozen WHERE id = :id AND frozen <> :frozen")
_STATE = text("""
    SELECT o.frozen, e.occurred_at, e.reason, u.name
    FROM organizations o
    LEFT JOIN LATERAL (
        SELECT a.occurred_at, a.actor_id, a.payload ->> 'reason' AS reason FROM audit_events a
        WHERE a.organization_id = o.id AND a.aggregate_id = o.id AND a.kind = :kind
        ORDER BY a.version DESC LIMIT 1) e ON o.frozen
    LEFT JOIN users u ON u.organization_id = o.id AND u.id = e.actor_id
    WHERE o.id = :id
""")


@dataclass(frozen=True, slots=True)
class FreezeState:
    """Whether the organization is frozen, and if so since when, by whom and why, as recorded."""

    frozen: bool
    since: datetime | None
    by: str | None
    reason: str | None


async def freeze(
    database: Database, principal: Principal, reason: str, *, now: datetime, new_id: NewId
) -> FreezeState:
    """Stop the principal's organization. A second time changes nothing, nor the recorded reason.

    Raises NotPermitted, InvalidInput `REASON_MISSING`.
    """
    principal.require(Permission.PAYMENTS_FREEZE)
    return await _turn(database, principal, reason, frozen=True, now=now, new_id=new_id)


async def unfreeze(
    database: Database, principal: Principal, reason: str, *, now: datetime, new_id: NewId
) -> FreezeState:
    """Let the organization pay again: an administrator's decision, and a person's.

    Raises NotPermitted, InvalidInput `REASON_MISSING`.
    """
    principal.require(Permission.ADMIN_ALL)
    if principal.kind is not PrincipalKind.HUMAN:
        raise NotPermitted("HUMAN_REQUIRED", "a person lifts a freeze, never a program")
    return await _turn(database, principal, reason, frozen=False, now=now, new_id=new_id)


async def read_freeze(connection: AsyncConnection, organization_id: OrganizationId) -> FreezeState:
    """The state as it is now."""
    found = await connection.execute(_STATE, {"id": organization_id, "kind": FROZEN})
    row = found.one()
    return FreezeState(row.frozen, row.occurred_at, row.name, row.reason)


async def _turn(
    database: Database,
    principal: Principal,
    reason: str,
    *,
    frozen: bool,
    now: datetime,
    new_id: NewId,
) -> FreezeState:
    reason = reason.strip()
    if not 0 < len(reason) <= MOST_REASON_CHARACTERS:
        raise InvalidInput(
            "REASON_MISSING", f"say why, in 1 to {MOST_REASON_CHARACTERS} characters"
        )
    organization_id = principal.organization_id
    async with database.unit(organization_id) as connection:
        changed = await connection.execute(_SET, {"frozen": frozen, "id": organization_id})
        if changed.rowcount:
            event = AuditEvent(
                "organization",
                organization_id,
                FROZEN if frozen else UNFROZEN,
                {"reason": reason},
                principal.user_id,
            )
            await audit.append(connection, organization_id, [event], now=now, new_id=new_id)
        return await read_freeze(connection, organization_id)
