"""Owns how people answer incidents. Must never change what an incident is about."""

from uuid import UUID

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.incidents import store
from treasurer.incidents.model import Incident, IncidentId, IncidentKind
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from treasurer.kernel.ids import NewId, OrganizationId
from treasurer.kernel.organization import Permission, Principal, PrincipalKind

MOST_NOTE_CHARACTERS = 2_000
A_PAGE = 100


class IncidentService:
    def __init__(self, *, database: Database, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def page(
        self,
        principal: Principal,
        *,
        open_: bool = True,
        before: IncidentId | None = None,
        most: int = A_PAGE,
    ) -> list[Incident]:
        """Open or closed ones, newest first."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await store.page(
                connection, principal.organization_id, open_=open_, before=before, most=most
            )

    async def report(
        self, organization_id: OrganizationId, kind: IncidentKind, subject_id: UUID, message: str
    ) -> None:
        """Open one unless it is open already, in a commit of its own."""
        async with self._database.unit(organization_id) as connection:
            await store.open_incidents(
                connection,
                organization_id,
                kind,
                [(subject_id, message)],
                now=self._clock(),
                new_id=self._new_id,
            )

    async def acknowledge(
        self, principal: Principal, incident_id: IncidentId, note: str
    ) -> Incident:
        """Say that you look after it. Raises NotFound, Conflict, InvalidInput, NotPermitted."""
        return await self._answer(principal, incident_id, note, close=False)

    async def close(self, principal: Principal, incident_id: IncidentId, note: str) -> Incident:
        """Say what it was and that it is over. Raises as `acknowledge`."""
        return await self._answer(principal, incident_id, note, close=True)

    async def _answer(
        self, principal: Principal, incident_id: IncidentId, note: str, *, close: bool
    ) -> Incident:
        organization_id, text, now = _answering(principal), note.strip(), self._clock()
        if not 0 < len(text) <= MOST_NOTE_CHARACTERS:
            raise InvalidInput(
                "INCIDENT_NOTE", f"say what you found, in 1 to {MOST_NOTE_CHARACTERS} characters"
            )
        async with self._database.unit(organization_id) as connection:
            found = await store.lock(connection, organization_id, incident_id)
            if found is None:
                raise NotFound("INCIDENT_UNKNOWN", "no such incident is known here")
            if found.closed_at is not None:
                raise Conflict(
                    "INCIDENT_CLOSED", "this incident is closed; a new one opens by itself"
                )
            if found.acknowledged_at is not None and not close:
                raise Conflict("INCIDENT_ACKNOWLEDGED", "somebody looks after it already; close it")
            await store.answer(
                connection,
                organization_id,
                incident_id,
                principal.user_id,
                text,
                now,
                close=close,
            )
            kind = "incident.closed" if close else "incident.acknowledged"
            event = AuditEvent("incident", incident_id, kind, {"note": text}, principal.user_id)
            await audit.append(connection, organization_id, [event], now=now, new_id=self._new_id)
            answered = await store.lock(connection, organization_id, incident_id)
        assert answered is not None
        return answered


def _answering(principal: Principal) -> OrganizationId:
    """Who may stop payments may also say that the reason is gone, in person."""
    if principal.kind is not PrincipalKind.HUMAN:
        raise NotPermitted("HUMAN_REQUIRED", "people answer incidents, never a program")
    principal.require(Permission.PAYMENTS_FREEZE)
    return principal.organization_id
