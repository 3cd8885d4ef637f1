"""Owns /api/transactions: payments under the name that users of older systems know."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from api.auth import Provided, requires
from api.payments import PaymentView, payment_view
from api.views import Before, Most, Page, page_of
from treasurer.kernel.ids import PaymentId
from treasurer.kernel.organization import Permission, Principal
from treasurer.payments.model import PaymentState

router = APIRouter(prefix="/api/transactions", tags=["payments"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]


@router.get("")
async def transactions(
    caller: Reader,
    services: Provided,
    before: Before = None,
    most: Most = 50,
    state: PaymentState | None = None,
) -> Page[PaymentView]:
    """Payments with transaction hash, state and balance after, newest first."""
    found = await services.payments.page(
        caller, before=PaymentId(before) if before else None, most=most, state=state
    )
    return page_of([payment_view(payment) for payment in found], most, found and found[-1].id)


@router.get("/{payment_id}")
async def transaction(payment_id: UUID, caller: Reader, services: Provided) -> PaymentView:
    """One payment."""
    return payment_view(await services.payments.get(caller, PaymentId(payment_id)))
