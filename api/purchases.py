"""Owns the routes of orders and receipts. An order that is here is never changed by an import."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from api.auth import Provided, requires
from api.views import Amount, Before, Body, Most, Page, amount_of, page_of
from treasurer.kernel.money import Asset
from treasurer.kernel.organization import Permission, Principal
from treasurer.purchases.imports import (
    ORDER_COLUMNS,
    RECEIPT_COLUMNS,
    csv_rows,
    orders_of,
    receipts_of,
)
from treasurer.purchases.model import PurchaseOrder

router = APIRouter(prefix="/api/v1/purchases", tags=["purchases"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]
Writer = Annotated[Principal, Depends(requires(Permission.PAYEES_WRITE))]
_CSV = {"requestBody": {"content": {"text/csv": {"schema": {"type": "string"}}}, "required": True}}


class NewOrderLine(Body):
    """Quantity and amount as decimal strings; the amount is net of tax, for the whole quantity."""

    order: str
    payee_code: str
    currency: str
    line: int
    name: str
    quantity: str
    net_amount: str
    receipt_required: bool = True


class NewReceipt(Body):
    """`reference` is the delivery note's number: a line takes each once."""

    order: str
    line: int
    quantity: str
    reference: str
    received_on: str


class NewOrders(Body):
    lines: list[NewOrderLine]


class NewReceipts(Body):
    receipts: list[NewReceipt]


class Imported(BaseModel):
    """How many were new; what was here with the same content counts as done."""

    imported: int


class OrderLineView(BaseModel):
    line: int
    name: str
    quantity: str
    received: str
    net_amount: Amount


class OrderView(BaseModel):
    id: UUID
    number: str
    payee_id: UUID
    closed: bool
    receipt_required: bool
    total: Amount
    invoiced: Amount
    lines: list[OrderLineView]


@router.post("/orders", status_code=201)
async def import_orders(body: NewOrders, caller: Writer, services: Provided) -> Imported:
    """Take orders in, all or none: one entry a line."""
    rows = [
        {
            **line.model_dump(exclude={"line", "receipt_required"}),
            "line": str(line.line),
            "receipt_required": "yes" if line.receipt_required else "no",
        }
        for line in body.lines
    ]
    return Imported(imported=await services.purchases.import_orders(caller, orders_of(rows)))


@router.post("/orders/csv", status_code=201, openapi_extra=_CSV)
async def import_orders_csv(request: Request, caller: Writer, services: Provided) -> Imported:
    """Take orders in from a CSV, one row a line."""
    rows = csv_rows(await request.body(), ORDER_COLUMNS)
    return Imported(imported=await services.purchases.import_orders(caller, orders_of(rows)))


@router.post("/receipts", status_code=201)
async def import_receipts(body: NewReceipts, caller: Writer, services: Provided) -> Imported:
    """Take receipts in, all or none."""
    rows = [{**each.model_dump(exclude={"line"}), "line": str(each.line)} for each in body.receipts]
    return Imported(imported=await services.purchases.import_receipts(caller, receipts_of(rows)))


@router.post("/receipts/csv", status_code=201, openapi_extra=_CSV)
async def import_receipts_csv(request: Request, caller: Writer, services: Provided) -> Imported:
    """Take receipts in from a CSV."""
    rows = csv_rows(await request.body(), RECEIPT_COLUMNS)
    return Imported(imported=await services.purchases.import_receipts(caller, receipts_of(rows)))


@router.get("/orders")
async def orders(
    caller: Reader, services: Provided, before: Before = None, most: Most = 50
) -> Page[OrderView]:
    """The orders, newest first."""
    found = await services.purchases.page(caller, before=before, most=most)
    return page_of([_order(order) for order in found], most, found and found[-1].id)


@router.get("/orders/{number:path}")
async def order(number: str, caller: Reader, services: Provided) -> OrderView:
    """One order, with what was received and billed."""
    return _order(await services.purchases.get(caller, number))


@router.post("/orders/{number:path}/closing")
async def close(number: str, caller: Writer, services: Provided) -> OrderView:
    """Let nothing more be billed on an order."""
    return _order(await services.purchases.close(caller, number))


def _order(order: PurchaseOrder) -> OrderView:
    def amount(minor: int, asset: Asset = order.currency) -> Amount:
        return amount_of(minor, asset)

    return OrderView(
        id=order.id,
        number=order.number,
        payee_id=order.payee_id,
        closed=order.closed,
        receipt_required=order.receipt_required,
        total=amount(order.total_minor),
        invoiced=amount(order.invoiced_minor),
        lines=[
            OrderLineView(
                line=line.number,
                name=line.name,
                quantity=format(line.quantity.normalize(), "f"),
                received=format(line.received.normalize(), "f"),
                net_amount=amount(line.net_minor),
            )
            for line in order.lines
        ],
    )
