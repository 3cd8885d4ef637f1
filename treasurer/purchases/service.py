"""Owns the use cases of purchases: importing orders and receipts, closing and showing orders.

Must never change an order that is here: an import that differs is refused, not merged.
"""

from collections.abc import Sequence
from uuid import UUID

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.digest import Canonical
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound
from treasurer.kernel.ids import NewId
from treasurer.kernel.organization import Permission, Principal
from treasurer.payees import store as payees
from treasurer.purchases import store
from treasurer.purchases.imports import NewOrder
from treasurer.purchases.model import PurchaseOrder, Receipt

PAGE_MOST = 200


def order_key(number: str) -> str:
    """Equal for spellings of one order's number: case, blanks and signs do not count."""
    return "".join(character for character in number.casefold() if character.isalnum())


class PurchaseService:
    def __init__(self, *, database: Database, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def import_orders(self, principal: Principal, new: Sequence[NewOrder]) -> int:
        """Store orders, all or none; how many are new. Raises InvalidInput PAYEE_UNKNOWN, Conflict
        ORDER_EXISTS for a number that is here with other content.
        """
        principal.require(Permission.PAYEES_WRITE)
        organization_id, now = principal.organization_id, self._clock()
        stored = 0
        async with self._database.unit(organization_id) as connection:
            known = await payees.by_codes(
                connection, organization_id, sorted({order.payee_code for order in new})
            )
            for each in new:
                payee = known.get(each.payee_code)
                if payee is None:
                    raise InvalidInput("PAYEE_UNKNOWN", f"order {each.number}: no such payee code")
                order = PurchaseOrder(
                    id=self._new_id(),
                    number=each.number,
                    payee_id=payee.id,
                    currency=each.currency,
                    receipt_required=each.receipt_required,
                    closed=False,
                    lines=each.lines,
                )
                key = order_key(each.number)
                if not key:
                    raise InvalidInput("ORDER_NUMBER", "an order's number has letters or digits")
                if await store.insert(
                    connection, organization_id, order, key, principal.user_id, now
                ):
                    stored += 1
                    payload: dict[str, Canonical] = {
                        "number": order.number,
                        "payee_id": str(payee.id),
                        "total_minor": str(order.total_minor),
                    }
                    event = AuditEvent(
                        "purchase_order", order.id, "order.imported", payload, principal.user_id
                    )
                    await audit.append(
                        connection, organization_id, [event], now=now, new_id=self._new_id
                    )
                    continue
                here = await store.by_key(connection, organization_id, key)
                if here is None or not _same(here, order):
                    raise Conflict(
                        "ORDER_EXISTS", f"order {each.number} is here with other content"
                    )
        return stored

    async def import_receipts(self, principal: Principal, new: Sequence[Receipt]) -> int:
        """Store receipts, all or none; how many are new. Raises InvalidInput ORDER_UNKNOWN or
        ORDER_LINE_UNKNOWN, Conflict RECEIPT_EXISTS for a delivery note with another quantity.
        """
        principal.require(Permission.PAYEES_WRITE)
        organization_id, now = principal.organization_id, self._clock()
        stored = 0
        async with self._database.unit(organization_id) as connection:
            for receipt in new:
                order = await store.by_key(
                    connection, organization_id, order_key(receipt.order_number), lock=True
                )
                if order is None:
                    raise InvalidInput(
                        "ORDER_UNKNOWN",
                        f"order {receipt.order_number} is not here; import it first",
                    )
                if receipt.line not in {line.number for line in order.lines}:
                    raise InvalidInput(
                        "ORDER_LINE_UNKNOWN", f"order {order.number} has no line {receipt.line}"
                    )
                before = await store.insert_receipt(
                    connection,
                    organization_id,
                    order_id=order.id,
                    line=receipt.line,
                    reference=receipt.reference,
                    quantity=receipt.quantity,
                    received_on=receipt.received_on,
                    created_by=principal.user_id,
                    now=now,
                )
                if before is not None:
                    if before != receipt.quantity:
                        raise Conflict(
                            "RECEIPT_EXISTS",
                            f"delivery {receipt.reference} of line {receipt.line} is here already,"
                            " with another quantity",
                        )
                    continue
                stored += 1
                payload: dict[str, Canonical] = {
                    "line": receipt.line,
                    "quantity": str(receipt.quantity),
                    "reference": receipt.reference,
                }
                event = AuditEvent(
                    "purchase_order", order.id, "order.received", payload, principal.user_id
                )
                await audit.append(
                    connection, organization_id, [event], now=now, new_id=self._new_id
                )
        return stored

    async def close(self, principal: Principal, number: str) -> PurchaseOrder:
        """Let nothing more be billed on an order. Raises NotFound; closing twice is no error."""
        principal.require(Permission.PAYEES_WRITE)
        organization_id = principal.organization_id
        async with self._database.unit(organization_id) as connection:
            order = await store.by_key(connection, organization_id, order_key(number), lock=True)
            if order is None:
                raise _not_found()
            if await store.close(connection, organization_id, order.id):
                event = AuditEvent(
                    "purchase_order", order.id, "order.closed", {}, principal.user_id
                )
                await audit.append(
                    connection, organization_id, [event], now=self._clock(), new_id=self._new_id
                )
            closed = await store.by_key(connection, organization_id, order_key(number))
        assert closed is not None
        return closed

    async def get(self, principal: Principal, number: str) -> PurchaseOrder:
        """One order by its number, with what was received and billed. Raises NotFound."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            order = await store.by_key(connection, principal.organization_id, order_key(number))
        if order is None:
            raise _not_found()
        return order

    async def page(
        self, principal: Principal, before: UUID | None = None, most: int = 50
    ) -> list[PurchaseOrder]:
        """Newest first; the next page is `before` the last id of this one."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await store.page(
                connection,
                principal.organization_id,
                before=before,
                most=max(1, min(most, PAGE_MOST)),
            )


def _same(here: PurchaseOrder, new: PurchaseOrder) -> bool:
    def content(order: PurchaseOrder) -> tuple[object, ...]:
        lines = sorted((n.number, n.name, n.quantity, n.net_minor) for n in order.lines)
        return order.payee_id, order.currency, order.receipt_required, lines

    return content(here) == content(new)


def _not_found() -> NotFound:
    return NotFound("ORDER_NOT_FOUND", "no order of that number is here")
