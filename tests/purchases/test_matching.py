"""The three-way match of order, receipt and bill, and what intake makes of it."""

from datetime import date
from decimal import Decimal

import pytest
from uuid_utils.compat import uuid7

from tests.support.invoices import invoice_service, printed, submit_and_read
from tests.support.payees import create_world, payee_service
from treasurer.invoices.model import InvoiceState
from treasurer.kernel.errors import Conflict, InvalidInput, NotPermitted
from treasurer.kernel.ids import PayeeId
from treasurer.kernel.money import Asset
from treasurer.purchases.imports import (
    ORDER_COLUMNS,
    RECEIPT_COLUMNS,
    csv_rows,
    orders_of,
    receipts_of,
)
from treasurer.purchases.model import (
    Billed,
    MatchState,
    OrderLine,
    PurchaseOrder,
    Receipt,
    Tolerance,
    match_order,
)
from treasurer.purchases.service import PurchaseService

USD, USDC, EUR = Asset("USD", 2), Asset("USDC", 6), Asset("EUR", 2)
PAYEE = PayeeId(uuid7())


def order(
    received: str = "10", *, closed: bool = False, invoiced: int = 0, receipt_required: bool = True
) -> PurchaseOrder:
    """Ten pallets at 100.00 USD each."""
    line = OrderLine(1, "Pallet", Decimal(10), 100_000, Decimal(received))
    return PurchaseOrder(uuid7(), "PO-1", PAYEE, USD, receipt_required, closed, (line,), invoiced)


def says(
    placed: PurchaseOrder | None,
    net: int | None = 100_000,
    *,
    payee: PayeeId = PAYEE,
    currency: Asset = USD,
    **quantities: str,
) -> MatchState:
    billed = Billed(payee, currency, net, {name: Decimal(q) for name, q in quantities.items()})
    return match_order("PO-1", placed, billed, Tolerance(10, 20)).state


def test_a_bill_that_agrees_is_matched() -> None:
    assert says(order()) is MatchState.MATCHED
    assert says(order(), pallet="10") is MatchState.MATCHED
    assert says(order(received="4"), 40_000, Pallet="4") is MatchState.MATCHED
    assert says(order(received="0", receipt_required=False)) is MatchState.MATCHED


@pytest.mark.parametrize(
    ("net", "expected"), [(101_000, MatchState.MATCHED), (101_001, MatchState.OVER)]
)
def test_the_tolerance_is_inclusive(net: int, expected: MatchState) -> None:
    assert says(order(), net) is expected


def test_what_was_billed_before_counts() -> None:
    assert says(order(invoiced=60_000), 41_000) is MatchState.MATCHED
    assert says(order(invoiced=60_000), 41_001) is MatchState.OVER


def test_more_than_was_received_is_told() -> None:
    assert says(order(received="4"), 40_401) is MatchState.UNDER_RECEIPT
    assert says(order(received="0"), 1) is MatchState.UNDER_RECEIPT
    # What was delivered beyond the order raises nothing.
    assert says(order(received="99"), 101_001) is MatchState.OVER


def test_differences_of_kind_are_a_mismatch() -> None:
    assert says(order(), payee=PayeeId(uuid7())) is MatchState.MISMATCH
    assert says(order(), currency=EUR) is MatchState.MISMATCH
    assert says(order(), None) is MatchState.MISMATCH
    assert says(order(), Crate="1") is MatchState.MISMATCH
    assert says(order(), Pallet="10.2") is MatchState.MATCHED
    assert says(order(), Pallet="10.21") is MatchState.MISMATCH


def test_no_order_and_a_closed_one_are_told() -> None:
    assert says(None) is MatchState.NO_ORDER
    assert says(order(closed=True), 1) is MatchState.CLOSED


def test_units_of_one_currency_compare_by_value_and_round_against_the_bill() -> None:
    placed = PurchaseOrder(
        uuid7(), "PO-1", PAYEE, Asset("USDC", 2), False, False,
        (OrderLine(1, "Pallet", Decimal(1), 100_00),),
    )  # fmt: skip
    billed = Billed(PAYEE, USDC, 99_990_001, {})
    match = match_order("PO-1", placed, billed, Tolerance(0, 0))
    assert (match.state, match.billed_minor) == (MatchState.MATCHED, 100_00)


ORDERS = (
    b"order,payee_code,currency,line,name,quantity,net_amount,receipt_required\n"
    b"PO-7781,V-001,USDC,1,Haulage,10,1000.00,yes\nPO-7781,V-001,USDC,2,Tolls,1,50.5,yes\n"
)
RECEIPTS = b"order,line,quantity,reference,received_on\npo 7781,1,5,LS-1,2026-11-19\n"


@pytest.fixture
async def purchases(database, clock, organization) -> PurchaseService:
    await create_world(payee_service(database, clock), organization)
    return PurchaseService(database=database, clock=clock, new_id=uuid7)


async def test_an_import_is_repeatable_and_never_changes_an_order(purchases, organization) -> None:
    new = orders_of(csv_rows(ORDERS, ORDER_COLUMNS))
    assert await purchases.import_orders(organization.clerk, new) == 1
    assert await purchases.import_orders(organization.clerk, new) == 0
    placed = await purchases.get(organization.cfo, "PO-7781")
    assert (placed.total_minor, placed.received_minor) == (1_050_500_000, 0)
    changed = orders_of(csv_rows(ORDERS.replace(b"1000.00", b"9000.00"), ORDER_COLUMNS))
    with pytest.raises(Conflict) as refused:
        await purchases.import_orders(organization.clerk, changed)
    assert refused.value.code == "ORDER_EXISTS"
    receipts = receipts_of(csv_rows(RECEIPTS, RECEIPT_COLUMNS))
    assert await purchases.import_receipts(organization.clerk, receipts) == 1
    assert await purchases.import_receipts(organization.clerk, receipts) == 0
    other = [Receipt("PO-7781", 1, Decimal(6), "LS-1", date(2026, 11, 19))]
    with pytest.raises(Conflict):
        await purchases.import_receipts(organization.clerk, other)
    assert (await purchases.get(organization.cfo, "PO-7781")).received_minor == 500_000_000
    with pytest.raises(NotPermitted):
        await purchases.import_orders(organization.approver, new)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (ORDERS.replace(b"net_amount", b"approved"), "CSV_HEADER"),
        (ORDERS.replace(b"1000.00", b"1e3"), "AMOUNT_SYNTAX"),
        (ORDERS.replace(b",10,", b",-1,"), "QUANTITY"),
        (ORDERS.replace(b"USDC,2", b"USD,2"), "ORDER_SPLIT"),
        (ORDERS.replace(b"Tolls", b"HAULAGE"), "ORDER_LINE"),
        (ORDERS.replace(b",2,", b",1,"), "ORDER_LINE"),
    ],
)
def test_unfit_rows_are_refused(content: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        orders_of(csv_rows(content, ORDER_COLUMNS))
    assert refused.value.code == code


async def test_intake_bills_up_to_what_was_received(
    purchases, database, clock, organization
) -> None:
    invoices = invoice_service(database, clock)
    people = (organization.clerk, organization.agent)

    async def take(number: str, total: str) -> tuple[InvoiceState, MatchState | None, list[str]]:
        taken = await submit_and_read(invoices, *people, printed(number, total))
        return taken.state, taken.purchase_state, [finding.code for finding in taken.findings]

    unknown = await take("HF-1", "400.00 USDC")
    assert unknown == (InvoiceState.READING, MatchState.NO_ORDER, [])
    await purchases.import_orders(organization.clerk, orders_of(csv_rows(ORDERS, ORDER_COLUMNS)))
    await purchases.import_receipts(
        organization.clerk, receipts_of(csv_rows(RECEIPTS, RECEIPT_COLUMNS))
    )
    first = await take("HF-2", "400.00 USDC")
    assert first == (InvoiceState.READING, MatchState.MATCHED, [])
    beyond = await take("HF-3", "110.00 USDC")
    assert beyond == (
        InvoiceState.NEEDS_REVIEW,
        MatchState.UNDER_RECEIPT,
        ["PO_UNDER_RECEIPT"],
    )
    # What waits for a person bills nothing; the rest of what was received is still free.
    assert (await take("HF-4", "100.00 USDC"))[1] is MatchState.MATCHED
    assert (await take("HF-5", "700.00 USDC"))[1] is MatchState.OVER
    placed = await purchases.get(organization.cfo, "PO-7781")
    assert placed.invoiced_minor == 500_000_000
    assert (await purchases.close(organization.clerk, "PO-7781")).closed
    assert (await take("HF-6", "1.00 USDC"))[2] == ["PO_CLOSED"]
