"""Owns what must hold of each slot on chain (I2, I3, I4, I5, I6, I20). Pure; one function a check.

Must never take a row's word for what the chain can be asked.
"""

from collections.abc import Iterable, Iterator

from treasurer.audit.reconciliation.examination import Stream
from treasurer.audit.reconciliation.model import Check, Violation
from treasurer.audit.reconciliation.scene import Scene
from treasurer.audit.reconciliation.slots import Attempt, Item, Slot, slots
from treasurer.chain.signed_transaction import read_signed
from treasurer.chain.tokens import TokenTransfer
from treasurer.kernel.allowance_order import parse_allowance_order
from treasurer.kernel.batch import Batch
from treasurer.kernel.digest import digest
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.order import parse_order
from treasurer.kernel.top_up_order import TOP_UP_ORDER_KIND, parse_top_up_order
from treasurer.kernel.transaction import (
    UnsignedTransaction,
    allowance_transaction,
    batch_transaction,
    payment_transaction,
    top_up_transaction,
)

OUTFLOW = Check(
    "I2.outflow",
    "What a slot finally moved is nothing, or each item's amount to its recipient, once.",
)
OWN = Check(
    "I3.own",
    "Every transaction that a wallet made on chain stands among the attempts of that slot.",
)
SENT = Check("I3.persisted", "Whatever may have been sent has signed bytes in the database.")
SAME_CALL = Check(
    "I4.same_call",
    "All attempts of a slot are its wallet's own signature under the same call, or its cancel.",
)
VOID = Check(
    "I5.void",
    "A transfer is void because nothing was slotted, or by a final cancel or revert of its slot.",
)
SETTLED = Check(
    "I6.settled",
    "A settled transfer is final on the canonical chain, and each item has one log of its own.",
)
ORDER = Check("I20.order", "A transfer carries out an order of its own organization, as approved.")


def outflow(_: Scene, slot: Slot) -> Iterator[Violation]:
    """Design I2, by the token's own logs from the wallet in final blocks."""
    for attempt in slot.mined:
        left = slot.outgoing(attempt)
        if not left:
            continue
        paid, strange = _matched(slot.items, left)
        for item, amount in paid.items():
            if amount != item.amount_minor:
                yield _about(
                    OUTFLOW,
                    "PAID_ANOTHER_AMOUNT",
                    slot,
                    item,
                    paid=amount,
                    amount=item.amount_minor,
                )
        for log in strange:
            yield _about(
                OUTFLOW, "UNEXPLAINED_OUTFLOW", slot, paid=log.amount_minor, log_index=log.log_index
            )
    if len(slot.mined) > 1:
        yield _about(OUTFLOW, "SLOT_MINED_TWICE", slot, mined=len(slot.mined))


def own_transactions(scene: Scene, slot: Slot) -> Iterator[Violation]:
    """A nonce that is used up on chain was used by one of ours: no other can use it too."""
    used = scene.nonces.get(slot.sender)
    if used is None or slot.nonce is None or slot.nonce >= used:
        return
    if all(attempt.receipt is None for attempt in slot.attempts):
        yield _about(
            OWN, "SLOT_USED_BY_ANOTHER_TRANSACTION", slot, nonce=slot.nonce, nonces_used=used
        )


def persisted(_: Scene, slot: Slot) -> Iterator[Violation]:
    """`signed` and later need an attempt; `reserved` and `slotted` have none yet."""
    if slot.state in ("reserved", "slotted") and slot.attempts:
        yield _about(SENT, "ATTEMPT_BEFORE_SIGNED", slot, attempts=len(slot.attempts))
    if slot.state in ("signed", "broadcast", "included", "settled") and not slot.attempts:
        yield _about(SENT, "SENT_WITHOUT_ATTEMPT", slot)


def same_call(_: Scene, slot: Slot) -> Iterator[Violation]:
    """Reads the bytes themselves; the stored hash and digest must follow from them."""
    for attempt in slot.attempts:
        if fault := _fault(slot, attempt):
            yield _about(SAME_CALL, fault, slot, attempt=attempt.number)


def void(_: Scene, slot: Slot) -> Iterator[Violation]:
    """Design I5: a missing receipt, a sent cancel and one merely included prove nothing."""
    if slot.state != "void" or (slot.nonce is None and not slot.attempts):
        return
    proof = [
        attempt
        for attempt in slot.mined
        if attempt.kind == "cancel" or (attempt.receipt and not attempt.receipt.succeeded)
    ]
    if not proof:
        yield _about(VOID, "VOID_WITHOUT_FINAL_CANCEL_OR_REVERT", slot)


def settled(_: Scene, slot: Slot) -> Iterator[Violation]:
    """Design I6: final, canonical, each item one to one to a log of its amount to its recipient."""
    if slot.state != "settled":
        return
    if len(slot.mined) != 1:
        yield _about(SETTLED, "SETTLED_WITHOUT_FINAL_TRANSACTION", slot, mined=len(slot.mined))
        return
    (attempt,) = slot.mined
    receipt = attempt.receipt
    assert receipt is not None
    if slot.block is None:
        yield _about(SETTLED, "SETTLED_WITHOUT_ITS_BLOCK", slot, block=receipt.block_number)
    elif slot.block != (receipt.block_number, receipt.block_hash) or not receipt.succeeded:
        yield _about(SETTLED, "SETTLED_IN_ANOTHER_BLOCK", slot, block=receipt.block_number)
    logs = {log.log_index: log for log in slot.outgoing(attempt)}
    for item in slot.items:
        log = logs.pop(item.log[1], None) if item.log else None
        if (
            log is None
            or item.log is None
            or item.log[0] != receipt.transaction_hash
            or (log.recipient, log.amount_minor) != (item.recipient, item.amount_minor)
        ):
            yield _about(SETTLED, "SETTLED_WITHOUT_ITS_LOG", slot, item, amount=item.amount_minor)


def own_order(scene: Scene, slot: Slot) -> Iterator[Violation]:
    """The orders' bytes are the approved ones, and of this organization."""
    for item in slot.items:
        try:
            order = parse_order(item.order_bytes)
        except InvalidInput:
            yield _about(ORDER, "ORDER_UNREADABLE", slot, item)
            continue
        if order.organization_id != scene.organization_id:
            yield _about(ORDER, "ORDER_OF_ANOTHER_ORGANIZATION", slot, item)
        named = [(one.payment_id, one.recipient, one.amount_minor) for one in order.items]
        if named != [(item.payment_id, item.recipient, item.amount_minor)] or (
            digest(item.order_bytes) != item.order_digest
        ):
            yield _about(ORDER, "ORDER_SAYS_OTHERWISE", slot, item)


SLOTS = Stream(
    slots,
    (
        (OUTFLOW, outflow),
        (OWN, own_transactions),
        (SENT, persisted),
        (SAME_CALL, same_call),
        (VOID, void),
        (SETTLED, settled),
        (ORDER, own_order),
    ),
)


def _matched(
    items: Iterable[Item], logs: Iterable[TokenTransfer]
) -> tuple[dict[Item, int], list[TokenTransfer]]:
    """What each item's recipient got, log by log in order; and the logs that are nobody's."""
    left = list(logs)
    paid: dict[Item, int] = {}
    for item in items:
        own = next((log for log in left if log.recipient == item.recipient), None)
        if own is not None:
            left.remove(own)
        paid[item] = own.amount_minor if own else 0
    return paid, left


def _fault(slot: Slot, attempt: Attempt) -> str | None:
    try:
        read = read_signed(attempt.raw)
    except ValueError:
        return "BYTES_UNREADABLE"
    call = read.call
    if read.transaction_hash != attempt.transaction_hash or call.call_digest != attempt.call_digest:
        return "BYTES_ARE_NOT_WHAT_STANDS_BESIDE_THEM"
    if (call.chain_id, call.sender, call.nonce) != (slot.chain_id, slot.sender, slot.nonce):
        return "BYTES_OF_ANOTHER_SLOT"
    if attempt.kind == "cancel":
        is_cancel = (call.to, call.value_wei, call.data) == (slot.sender, 0, b"")
        return None if is_cancel else "CANCEL_IS_NO_SELF_SEND"
    if call.call_digest != slot.call_digest:
        return "BYTES_OF_ANOTHER_CALL"
    return None if call.call_digest == _meant(slot, call) else "BYTES_PAY_ANOTHER_ORDER"


def _meant(slot: Slot, call: UnsignedTransaction) -> bytes | None:
    """The digest of the call that the slot's orders dictate; None if they dictate none."""
    try:
        if slot.own_order is not None:
            return _own_call(slot.own_order, call).call_digest
        orders = [parse_order(item.order_bytes) for item in slot.items]
        if slot.disperse is None:
            (order,) = orders
            meant = payment_transaction(order, sender=slot.sender, nonce=call.nonce, fees=call.fees)
        else:
            meant = batch_transaction(
                Batch(tuple(orders)),
                disperse=slot.disperse,
                sender=slot.sender,
                nonce=call.nonce,
                fees=call.fees,
            )
    except (InvalidInput, ValueError):
        return None
    return meant.call_digest


def _own_call(order: bytes, call: UnsignedTransaction) -> UnsignedTransaction:
    if order[0] == TOP_UP_ORDER_KIND:
        top_up = parse_top_up_order(order)
        return top_up_transaction(top_up, nonce=call.nonce, fees=call.fees)
    allowance = parse_allowance_order(order)
    return allowance_transaction(allowance, nonce=call.nonce, fees=call.fees)


def _about(
    check: Check, code: str, slot: Slot, item: Item | None = None, **numbers: int
) -> Violation:
    about = {"transfer_id": str(slot.id), "state": slot.state}
    if item is not None:
        about["payment_id"] = str(item.payment_id)
    return Violation(check.id, code, about, numbers)
