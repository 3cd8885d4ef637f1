"""Owns what an organization decides about its approvals: the second proof, and who hears of delay.

Must never let a looser rule come from a session alone: whoever loosens proves themselves again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit.model import AuditEvent
from treasurer.audit.store import append
from treasurer.db.engine import Database
from treasurer.identity.step_up import require_step_up
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import ApprovalRequestId, NewId, OrganizationId
from treasurer.kernel.organization import Permission, Principal, Role

_GET = text("""
    SELECT step_up_above_minor, step_up_within_s, escalation_role FROM approval_settings
    WHERE organization_id = :organization_id
""")
_PUT = text("""
    INSERT INTO approval_settings (organization_id, step_up_above_minor, step_up_within_s,
                                   escalation_role)
    VALUES (:organization_id, :above, :within_s, :role)
    ON CONFLICT (organization_id) DO UPDATE SET step_up_above_minor = excluded.step_up_above_minor,
        step_up_within_s = excluded.step_up_within_s, escalation_role = excluded.escalation_role
""")
_AMOUNT = text("""
    SELECT p.reporting_amount_minor FROM approval_requests r
    JOIN payments p ON p.organization_id = r.organization_id AND p.id = r.payment_id
    WHERE r.organization_id = :organization_id AND r.id = :request_id
""")


@dataclass(frozen=True, slots=True)
class ApprovalSettings:
    """Above `step_up_above_minor` (the reporting currency's base units; None: never) an approval
    needs password or code within `step_up_within_s`. `escalation_role` hears of what nobody decides.
    """

    step_up_above_minor: int | None = None
    step_up_within_s: int = 600
    escalation_role: Role = Role.CFO

    def __post_init__(self) -> None:
        if self.step_up_above_minor is not None and self.step_up_above_minor < 0:
            raise InvalidInput("STEP_UP_AMOUNT", "the amount is 0 or more; 0 asks for every vote")
        if not 60 <= self.step_up_within_s <= 3600:
            raise InvalidInput("STEP_UP_TIME", "choose 60 to 3600 seconds")

    def looser_than(self, other: "ApprovalSettings") -> bool:
        """Whether some vote that `other` asks a second proof for would pass without one here."""
        if other.step_up_above_minor is None:
            return False
        return (
            self.step_up_above_minor is None
            or self.step_up_above_minor > other.step_up_above_minor
            or self.step_up_within_s > other.step_up_within_s
        )


async def read(connection: AsyncConnection, organization_id: OrganizationId) -> ApprovalSettings:
    """The organization's settings; the defaults where nobody chose."""
    row = (await connection.execute(_GET, {"organization_id": organization_id})).one_or_none()
    if row is None:
        return ApprovalSettings()
    above = row.step_up_above_minor
    return ApprovalSettings(
        None if above is None else int(above), row.step_up_within_s, Role(row.escalation_role)
    )


async def step_up_for(
    connection: AsyncConnection, organization_id: OrganizationId, request_id: ApprovalRequestId
) -> timedelta | None:
    """How fresh a proof the approval of this request needs; None where none is asked."""
    settings = await read(connection, organization_id)
    if settings.step_up_above_minor is None:
        return None
    scope = {"organization_id": organization_id, "request_id": request_id}
    amount_minor = (await connection.execute(_AMOUNT, scope)).scalar_one()
    if amount_minor <= settings.step_up_above_minor:
        return None
    return timedelta(seconds=settings.step_up_within_s)


class ApprovalSettingsService:
    """Reads and changes the settings."""

    def __init__(self, *, database: Database, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def get(self, principal: Principal) -> ApprovalSettings:
        """The settings in force."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await read(connection, principal.organization_id)

    async def put(self, principal: Principal, settings: ApprovalSettings) -> ApprovalSettings:
        """Set them. Loosening needs the changer's own fresh proof: NotPermitted STEP_UP_REQUIRED."""
        principal.require(Permission.POLICY_WRITE)
        now, organization_id = self._clock(), principal.organization_id
        async with self._database.unit(organization_id) as connection:
            former = await read(connection, organization_id)
            if settings.looser_than(former):
                within = timedelta(seconds=former.step_up_within_s)
                await require_step_up(connection, principal, within=within, now=now)
            await connection.execute(
                _PUT,
                {
                    "organization_id": organization_id,
                    "above": settings.step_up_above_minor,
                    "within_s": settings.step_up_within_s,
                    "role": settings.escalation_role.value,
                },
            )
            await self._record(connection, principal, settings, now)
        return settings

    async def _record(
        self,
        connection: AsyncConnection,
        principal: Principal,
        settings: ApprovalSettings,
        now: datetime,
    ) -> None:
        above = settings.step_up_above_minor
        event = AuditEvent(
            "organization",
            principal.organization_id,
            "approval.settings_changed",
            {
                "step_up_above_minor": None if above is None else str(above),
                "step_up_within_s": settings.step_up_within_s,
                "escalation_role": settings.escalation_role.value,
            },
            principal.user_id,
        )
        await append(connection, principal.organization_id, [event], now=now, new_id=self._new_id)
