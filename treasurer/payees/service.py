"""Owns the use cases of the payee master. Must never take an address from a document or a model.

Two people stand behind each payable address: one enters it, another verifies it. Every change locks
the payee's row, so that changes of one payee come one after another, in the audit log too.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock, iso
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from treasurer.kernel.ids import NewId, OrganizationId, PayeeAddressId, PayeeId
from treasurer.kernel.organization import Permission, Principal, PrincipalKind
from treasurer.payees import store
from treasurer.payees.change import CallBackNote, clean_phone
from treasurer.payees.csv_import import (
    NewPayee,
    RowOutcome,
    RowReport,
    judge_row,
    parse_csv,
)
from treasurer.payees.events import address_event, categorized, created
from treasurer.payees.model import (
    ADDRESS_TRANSITIONS,
    AddressState,
    Payee,
    PayeeAddress,
    PayeeDetails,
    PayeeState,
    chain_address,
    clean_category,
    payee_details,
    require_chain_id,
    require_verifiable,
)

PAGE_MOST = 200

_TAKEN = {
    "payees_organization_id_code_key": ("PAYEE_EXISTS", "a payee of that code exists already"),
    "payee_addresses_live": ("ADDRESS_TAKEN", "the address is in use; two payees never share one"),
}


class PayeeService:
    def __init__(self, *, database: Database, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def create(
        self,
        principal: Principal,
        *,
        code: str,
        name: str,
        vat_id: str | None = None,
        iban: str | None = None,
        email: str | None = None,
        phone: str | None = None,
    ) -> Payee:
        """A new active payee without an address. Raises InvalidInput, or Conflict PAYEE_EXISTS."""
        principal.require(Permission.PAYEES_WRITE)
        details = payee_details(code=code, name=name, vat_id=vat_id, iban=iban, email=email)
        payee = replace(self._payee(principal, details), phone=clean_phone(phone))
        async with self._unit(principal.organization_id) as connection:
            await store.insert(connection, principal.organization_id, [payee])
            await self._record(connection, principal, [created(payee, principal)])
        return payee

    async def add_address(
        self, principal: Principal, payee_id: PayeeId, *, chain_id: int, address: str
    ) -> PayeeAddress:
        """A pending address: nothing is paid to it before another person has verified it."""
        principal.require(Permission.PAYEES_WRITE)
        entry = self._address(
            principal, payee_id, require_chain_id(chain_id), chain_address(address)
        )
        async with self._unit(principal.organization_id) as connection:
            await self._locked(connection, principal.organization_id, payee_id)
            await store.insert_addresses(connection, principal.organization_id, [entry])
            await self._record(
                connection, principal, [address_event("payee_address.added", entry, principal)]
            )
        return entry

    async def verify_address(
        self,
        principal: Principal,
        address_id: PayeeAddressId,
        *,
        cooling_off_s: int,
        call_back: CallBackNote | None = None,
    ) -> PayeeAddress:
        """Make a pending address payable `cooling_off_s` seconds from now, by a second person.

        A payee that had a verified address on that chain changes it, and the second person calls
        back first; a first address may have a call, too. Raises InvalidInput CALL_BACK_*.

        The payee's former verified address on that chain is revoked with it, so orders that name it
        are stopped before they are signed. Raises NotPermitted for whoever entered it and for agents.
        """
        principal.require(Permission.PAYEES_WRITE)
        if principal.kind is not PrincipalKind.HUMAN:
            raise NotPermitted("HUMAN_REQUIRED", "a person verifies an address, never a program")
        until = self._clock() + timedelta(seconds=cooling_off_s)
        organization_id = principal.organization_id
        async with self._unit(organization_id) as connection:
            address = await self._locked_address(connection, organization_id, address_id)
            require_verifiable(address, principal.user_id)
            call = await self._call_back(connection, organization_id, address, call_back)
            former = await store.verified_address(
                connection, organization_id, address.payee_id, address.chain_id
            )
            events = []
            if former is not None:
                await store.move_address(connection, organization_id, former, AddressState.REVOKED)
                events.append(address_event("payee_address.revoked", former, principal))
            await store.move_address(
                connection,
                organization_id,
                address,
                AddressState.VERIFIED,
                verified_by=principal.user_id,
                cooling_off_until=until,
                call_back=call,
            )
            events.append(
                address_event(
                    "payee_address.verified", address, principal, cooling_off_until=iso(until)
                )
            )
            await self._record(connection, principal, events)
        return replace(
            address,
            state=AddressState.VERIFIED,
            verified_by=principal.user_id,
            cooling_off_until=until,
        )

    async def revoke_address(
        self, principal: Principal, address_id: PayeeAddressId
    ) -> PayeeAddress:
        """End an address. One person is enough: revoking can only stop money."""
        principal.require(Permission.PAYEES_WRITE)
        async with self._unit(principal.organization_id) as connection:
            address = await self._locked_address(connection, principal.organization_id, address_id)
            if AddressState.REVOKED not in ADDRESS_TRANSITIONS[address.state]:
                raise Conflict("ADDRESS_REVOKED", "the address is revoked already")
            await store.move_address(
                connection, principal.organization_id, address, AddressState.REVOKED
            )
            await self._record(
                connection, principal, [address_event("payee_address.revoked", address, principal)]
            )
        return replace(address, state=AddressState.REVOKED)

    async def categorize(
        self, principal: Principal, payee_id: PayeeId, category: str | None
    ) -> Payee:
        """Give a payee its category, by which budgets count. Binds payments proposed from now on.

        Whoever may change limits does this, not whoever enters payees: it moves a budget.
        """
        principal.require(Permission.POLICY_WRITE)
        category = clean_category(category)
        async with self._unit(principal.organization_id) as connection:
            payee = await self._locked(connection, principal.organization_id, payee_id)
            await store.categorize(connection, principal.organization_id, payee_id, category)
            await self._record(connection, principal, [categorized(payee, category, principal)])
        return replace(payee, category=category)

    async def import_csv(self, principal: Principal, content: bytes) -> list[RowReport]:
        """Create the payees of a CSV; a report a row. Good rows are stored together, others refused.

        Sending the same file again reports its rows as unchanged. Addresses arrive pending.
        Raises InvalidInput when the file as a whole cannot be read, and stores nothing then.
        """
        principal.require(Permission.PAYEES_WRITE)
        rows = parse_csv(content)
        organization_id = principal.organization_id
        async with self._unit(organization_id) as connection:
            codes = [row.values["code"].strip() for row in rows]
            known = await store.by_codes(connection, organization_id, codes)
            printed = [row.values.get("address", "").strip().lower() for row in rows]
            taken = {
                (entry.chain_id, entry.address)
                for entry in await store.live_addresses(connection, organization_id, printed)
            }
            payees: list[Payee] = []
            reports: list[RowReport] = []
            for row in rows:
                judged = judge_row(row, known=known, taken_addresses=taken)
                if isinstance(judged, NewPayee):
                    payee = self._imported(principal, judged)
                    payees.append(payee)
                    known[payee.code] = payee
                    taken.update((entry.chain_id, entry.address) for entry in payee.addresses)
                    judged = RowReport(row.line, payee.code, RowOutcome.CREATED)
                reports.append(judged)
            if payees:
                await store.insert(connection, organization_id, payees)
                events = [created(payee, principal) for payee in payees]
                events += [
                    address_event("payee_address.added", entry, principal)
                    for payee in payees
                    for entry in payee.addresses
                ]
                await self._record(connection, principal, events)
        return reports

    async def get(self, principal: Principal, payee_id: PayeeId) -> Payee:
        """One payee with its addresses. Raises NotFound."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            payee = await store.get_payee(connection, principal.organization_id, payee_id)
        return _required(payee)

    async def get_by_code(self, principal: Principal, code: str) -> Payee:
        """As `get`, by the finance team's own name for the payee."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            found = await store.by_codes(connection, principal.organization_id, [code])
        return _required(found.get(code))

    async def page(
        self, principal: Principal, before: PayeeId | None = None, most: int = 50
    ) -> list[Payee]:
        """Newest first; the next page is `before` the last id of this one."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await store.page(
                connection,
                principal.organization_id,
                before=before,
                most=max(1, min(most, PAGE_MOST)),
            )

    @asynccontextmanager
    async def _unit(self, organization_id: OrganizationId) -> AsyncIterator[AsyncConnection]:
        """A unit of work in which a taken code or address is a Conflict."""
        try:
            async with self._database.unit(organization_id) as connection:
                yield connection
        except IntegrityError as error:
            constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
            if constraint not in _TAKEN:
                raise
            raise Conflict(*_TAKEN[constraint]) from error

    async def _record(
        self, connection: AsyncConnection, principal: Principal, events: Sequence[AuditEvent]
    ) -> None:
        await audit.append(
            connection,
            principal.organization_id,
            events,
            now=self._clock(),
            new_id=self._new_id,
        )

    async def _call_back(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        address: PayeeAddress,
        note: CallBackNote | None,
    ) -> Mapping[str, str | bool] | None:
        """The checked call about a new address; None where a first address had none."""
        payee = await self._locked(connection, organization_id, address.payee_id)
        changes = any(
            entry.chain_id == address.chain_id and entry.verified_by is not None
            for entry in payee.addresses
        )
        if note is None and not changes:
            return None
        if note is None:
            raise InvalidInput(
                "CALL_BACK_MISSING",
                "this payee is paid elsewhere; call them at the number in the payee master first",
            )
        return note.checked(payee.phone, since=address.created_at, now=self._clock()).document()

    async def _locked(
        self, connection: AsyncConnection, organization_id: OrganizationId, payee_id: PayeeId
    ) -> Payee:
        return _required(await store.get_payee(connection, organization_id, payee_id, lock=True))

    async def _locked_address(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        address_id: PayeeAddressId,
    ) -> PayeeAddress:
        """The address as it stands under its payee's lock."""
        found = await store.get_address(connection, organization_id, address_id)
        if found is not None:
            payee = await self._locked(connection, organization_id, found.payee_id)
            found = next((entry for entry in payee.addresses if entry.id == address_id), None)
        if found is None:
            raise NotFound("ADDRESS_NOT_FOUND", "no payee here has an address of that id")
        return found

    def _payee(self, principal: Principal, details: PayeeDetails) -> Payee:
        return Payee(
            id=PayeeId(self._new_id()),
            code=details.code,
            name=details.name,
            state=PayeeState.ACTIVE,
            vat_id=details.vat_id,
            iban=details.iban,
            email=details.email,
            created_at=self._clock(),
            created_by=principal.user_id,
        )

    def _address(
        self, principal: Principal, payee_id: PayeeId, chain_id: int, address: str
    ) -> PayeeAddress:
        return PayeeAddress(
            id=PayeeAddressId(self._new_id()),
            payee_id=payee_id,
            chain_id=chain_id,
            address=address,
            state=AddressState.PENDING,
            cooling_off_until=None,
            changed_by=principal.user_id,
            verified_by=None,
            created_at=self._clock(),
        )

    def _imported(self, principal: Principal, row: NewPayee) -> Payee:
        payee = self._payee(principal, row.details)
        if row.address is None:
            return payee
        return replace(payee, addresses=(self._address(principal, payee.id, *row.address),))


def _required(payee: Payee | None) -> Payee:
    if payee is None:
        raise NotFound("PAYEE_NOT_FOUND", "no payee of that name or id is here")
    return payee
