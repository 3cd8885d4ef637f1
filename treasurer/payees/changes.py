"""Owns the use cases of changing a payee's details. Must never change one on one person's word.

One person proposes, another calls the payee back and confirms; until then the former details stand, and
after it nothing is paid before the cooling-off is over.
"""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import Conflict, NotFound, NotPermitted
from treasurer.kernel.ids import NewId, OrganizationId, PayeeId
from treasurer.kernel.organization import Permission, Principal, PrincipalKind
from treasurer.payees import change_store, store
from treasurer.payees.change import (
    CallBackNote,
    ChangeState,
    PayeeChange,
    PayeeChangeId,
    applied,
    changed_fields,
    require_confirmable,
    require_open,
)
from treasurer.payees.model import Payee

_PUBLIC = ("name", "vat_id", "iban")
"""Details that the audit log carries by value; of the others it tells that they changed."""


class PayeeChanges:
    """Each call is a transaction of its own, under the payee's lock."""

    def __init__(self, *, database: Database, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def propose(
        self, principal: Principal, payee_id: PayeeId, wanted: dict[str, str | None]
    ) -> PayeeChange:
        """Propose other details; an empty one is taken away. Nothing is changed by this.

        Raises NotFound, InvalidInput, Conflict (CHANGE_OPEN).
        """
        principal.require(Permission.PAYEES_WRITE)
        organization_id = principal.organization_id
        try:
            async with self._database.unit(organization_id) as connection:
                payee = await self._locked(connection, organization_id, payee_id)
                details = changed_fields(payee, wanted)
                change = PayeeChange(
                    id=PayeeChangeId(self._new_id()),
                    payee_id=payee_id,
                    details=details,
                    former={name: getattr(payee, name) for name in details},
                    state=ChangeState.PROPOSED,
                    proposed_by=principal.user_id,
                    proposed_at=self._clock(),
                )
                await change_store.insert(connection, organization_id, change)
                await self._record(connection, principal, "proposed", change)
        except IntegrityError as error:
            constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
            if constraint != "payee_changes_open":
                raise
            raise Conflict(
                "CHANGE_OPEN", "another change of this payee waits; decide on that one first"
            ) from error
        return change

    async def confirm(
        self,
        principal: Principal,
        payee_id: PayeeId,
        change_id: PayeeChangeId,
        note: CallBackNote,
        *,
        cooling_off_s: int,
    ) -> PayeeChange:
        """Let the new details stand, after a call to the number that the master held before.

        Raises NotFound, NotPermitted (HUMAN_REQUIRED, CHANGE_OWN), Conflict (CHANGE_DECIDED,
        CHANGE_OUTDATED), InvalidInput (CALL_BACK_PERSON, _NOTE, _TIME, _NUMBER).
        """
        principal.require(Permission.PAYEES_WRITE)
        if principal.kind is not PrincipalKind.HUMAN:
            raise NotPermitted("HUMAN_REQUIRED", "a person confirms a change, never a program")
        organization_id = principal.organization_id
        async with self._database.unit(organization_id) as connection:
            payee = await self._locked(connection, organization_id, payee_id)
            change = await self._found(connection, organization_id, payee_id, change_id)
            require_confirmable(change, payee, principal.user_id)
            now = self._clock()
            call = note.checked(payee.phone, since=change.proposed_at, now=now)
            confirmed = replace(
                change,
                state=ChangeState.CONFIRMED,
                decided_by=principal.user_id,
                decided_at=now,
                call_back=call.document(),
                cooling_off_until=now + timedelta(seconds=cooling_off_s),
            )
            assert confirmed.cooling_off_until is not None
            await change_store.apply(
                connection, organization_id, applied(payee, change), confirmed.cooling_off_until
            )
            await change_store.decide(connection, organization_id, confirmed)
            await self._record(connection, principal, "confirmed", confirmed)
        return confirmed

    async def refuse(
        self, principal: Principal, payee_id: PayeeId, change_id: PayeeChangeId
    ) -> PayeeChange:
        """Let a proposal fall. Anybody with `payees:write` may, its proposer too: it changes nothing."""
        principal.require(Permission.PAYEES_WRITE)
        organization_id = principal.organization_id
        async with self._database.unit(organization_id) as connection:
            await self._locked(connection, organization_id, payee_id)
            change = await self._found(connection, organization_id, payee_id, change_id)
            require_open(change)
            refused = replace(
                change,
                state=ChangeState.REFUSED,
                decided_by=principal.user_id,
                decided_at=self._clock(),
            )
            await change_store.decide(connection, organization_id, refused)
            await self._record(connection, principal, "refused", refused)
        return refused

    async def of(self, principal: Principal, payee_id: PayeeId) -> list[PayeeChange]:
        """A payee's changes, newest first."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await change_store.of_payee(connection, principal.organization_id, payee_id)

    async def _locked(
        self, connection: AsyncConnection, organization_id: OrganizationId, payee_id: PayeeId
    ) -> Payee:
        payee = await store.get_payee(connection, organization_id, payee_id, lock=True)
        if payee is None:
            raise NotFound("PAYEE_NOT_FOUND", "no payee of that name or id is here")
        return payee

    async def _found(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payee_id: PayeeId,
        change_id: PayeeChangeId,
    ) -> PayeeChange:
        change = await change_store.get(connection, organization_id, payee_id, change_id)
        if change is None:
            raise NotFound("CHANGE_NOT_FOUND", "this payee has no change of that id")
        return change

    async def _record(
        self, connection: AsyncConnection, principal: Principal, kind: str, change: PayeeChange
    ) -> None:
        event = AuditEvent(
            "payee",
            change.payee_id,
            f"payee_change.{kind}",
            {
                "change_id": str(change.id),
                "fields": sorted(change.details),
                **{name: change.details[name] for name in _PUBLIC if name in change.details},
            },
            principal.user_id,
        )
        await audit.append(
            connection,
            principal.organization_id,
            [event],
            now=self._clock(),
            new_id=self._new_id,
        )
