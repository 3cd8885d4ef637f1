"""Owns the payees' routes. An address is entered by one person and verified by another."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel

from api.auth import Provided, requires
from api.services import Services
from api.views import Before, Body, Instant, Most, Page, page_of
from treasurer.kernel.errors import NotFound
from treasurer.kernel.ids import PayeeAddressId, PayeeId
from treasurer.kernel.organization import Permission, Principal
from treasurer.payees.change import CallBackNote
from treasurer.payees.model import AddressState, Payee, PayeeAddress, PayeeState

router = APIRouter(prefix="/api/v1/payees", tags=["payees"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]
Writer = Annotated[Principal, Depends(requires(Permission.PAYEES_WRITE))]

PolicyWriter = Annotated[Principal, Depends(requires(Permission.POLICY_WRITE))]


class NewPayee(Body):
    """`code` is the finance team's own name for the payee, such as V-001."""

    code: str
    name: str
    vat_id: str | None = None
    iban: str | None = None
    email: str | None = None
    phone: str | None = None


class NewAddress(Body):
    chain_id: int
    address: str


class NewCategory(Body):
    category: str | None


class CallBack(Body):
    """A call to the payee, at the number that the payee master holds. `number` is only for payees
    without one: the note then says where it is from, never the mail that asks for the change.
    """

    spoke_to: str
    called_at: AwareDatetime
    note: str
    number: str = ""

    def note_of(self) -> CallBackNote:
        return CallBackNote(self.spoke_to, self.called_at, self.note, self.number)


class Verification(Body):
    """A payee that was paid elsewhere on that chain before is called back first."""

    call_back: CallBack | None = None


class AddressView(BaseModel):
    """Payable when verified and past `cooling_off_until`."""

    id: UUID
    chain_id: int
    address: str
    state: AddressState
    cooling_off_until: Instant | None
    changed_by: UUID
    verified_by: UUID | None
    created_at: Instant


class PayeeView(BaseModel):
    id: UUID
    code: str
    name: str
    state: PayeeState
    vat_id: str | None
    iban: str | None
    email: str | None
    created_at: Instant
    created_by: UUID
    category: str | None
    phone: str | None
    cooling_off_until: Instant | None
    addresses: list[AddressView]


@router.post("", status_code=201)
async def create(body: NewPayee, caller: Writer, services: Provided) -> PayeeView:
    """A new payee, without an address yet."""
    payee = await services.payees.create(
        caller,
        code=body.code,
        name=body.name,
        vat_id=body.vat_id,
        iban=body.iban,
        email=body.email,
        phone=body.phone,
    )
    return _payee(payee)


@router.get("")
async def payees(
    caller: Reader, services: Provided, before: Before = None, most: Most = 50
) -> Page[PayeeView]:
    """The payee master, newest first."""
    found = await services.payees.page(
        caller, before=PayeeId(before) if before else None, most=most
    )
    return page_of([_payee(payee) for payee in found], most, found and found[-1].id)


@router.get("/{payee_id}")
async def payee(payee_id: UUID, caller: Reader, services: Provided) -> PayeeView:
    """One payee with its addresses."""
    return _payee(await services.payees.get(caller, PayeeId(payee_id)))


@router.post("/{payee_id}/category")
async def categorize(
    payee_id: UUID, body: NewCategory, caller: PolicyWriter, services: Provided
) -> PayeeView:
    """Give a payee the category by which budgets count; null for none."""
    return _payee(await services.payees.categorize(caller, PayeeId(payee_id), body.category))


@router.post("/{payee_id}/addresses", status_code=201)
async def add_address(
    payee_id: UUID, body: NewAddress, caller: Writer, services: Provided
) -> AddressView:
    """Enter an address. Nothing is paid to it before another person verifies it."""
    address = await services.payees.add_address(
        caller, PayeeId(payee_id), chain_id=body.chain_id, address=body.address
    )
    return _address(address)


@router.post("/{payee_id}/addresses/{address_id}/verification")
async def verify_address(
    payee_id: UUID,
    address_id: UUID,
    caller: Writer,
    services: Provided,
    body: Verification | None = None,
) -> AddressView:
    """Confirm an address that somebody else entered; the policy's cooling-off begins now."""
    await _require_own(services, caller, payee_id, address_id)
    address = await services.payees.verify_address(
        caller,
        PayeeAddressId(address_id),
        cooling_off_s=await cooling_off_s(services, caller),
        call_back=body.call_back.note_of() if body and body.call_back else None,
    )
    return _address(address)


@router.post("/{payee_id}/addresses/{address_id}/revocation")
async def revoke_address(
    payee_id: UUID, address_id: UUID, caller: Writer, services: Provided
) -> AddressView:
    """End an address; orders that name it are stopped before they are signed."""
    await _require_own(services, caller, payee_id, address_id)
    return _address(await services.payees.revoke_address(caller, PayeeAddressId(address_id)))


async def cooling_off_s(services: Services, caller: Principal) -> int:
    """How long the active policy waits after a change of a payee."""
    async with services.database.unit(caller.organization_id) as connection:
        policy_set = await services.policies.active(connection, caller.organization_id)
    return policy_set.cooling_off_s


async def _require_own(
    services: Services, caller: Principal, payee_id: UUID, address_id: UUID
) -> None:
    """Raise NotFound unless the path's address is the path's payee's."""
    payee = await services.payees.get(caller, PayeeId(payee_id))
    if address_id not in {address.id for address in payee.addresses}:
        raise NotFound("ADDRESS_NOT_FOUND", "this payee has no address of that id")


def _payee(payee: Payee) -> PayeeView:
    return PayeeView(
        id=payee.id,
        code=payee.code,
        name=payee.name,
        state=payee.state,
        vat_id=payee.vat_id,
        iban=payee.iban,
        email=payee.email,
        created_at=payee.created_at,
        created_by=payee.created_by,
        category=payee.category,
        phone=payee.phone,
        cooling_off_until=payee.cooling_off_until,
        addresses=[_address(address) for address in payee.addresses],
    )


def _address(address: PayeeAddress) -> AddressView:
    return AddressView(
        id=address.id,
        chain_id=address.chain_id,
        address=address.address,
        state=address.state,
        cooling_off_until=address.cooling_off_until,
        changed_by=address.changed_by,
        verified_by=address.verified_by,
        created_at=address.created_at,
    )
