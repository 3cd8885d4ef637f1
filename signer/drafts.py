"""Owns what a request comes to: the orders it names, and the transaction that follows from them.

Must never take a call from a request. Orders are parsed strictly, and whatever does not follow from
them is refused here, before any limit is asked.
"""

from dataclasses import dataclass
from typing import TypeAlias

from signer.records import NATIVE, AttemptKind, SlotKey
from treasurer.kernel.allowance_order import AllowanceOrder, parse_allowance_order
from treasurer.kernel.batch import Batch
from treasurer.kernel.digest import digest
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.order import ExecutionOrder, parse_order
from treasurer.kernel.signing import (
    EndedSlot,
    SignAllowance,
    SignCancel,
    SignPayment,
    SignRequest,
    SignTopUp,
)
from treasurer.kernel.top_up_order import TopUpOrder, parse_top_up_order
from treasurer.kernel.transaction import (
    CANCEL_GAS,
    UnsignedTransaction,
    allowance_transaction,
    batch_transaction,
    cancel_transaction,
    payment_transaction,
    top_up_transaction,
)


@dataclass(frozen=True, slots=True)
class Payments:
    """One order, or several that `disperse` pays together."""

    orders: tuple[ExecutionOrder, ...]
    disperse: str | None


Terms: TypeAlias = Payments | AllowanceOrder | TopUpOrder | None
"""What limits are asked about; None for a cancel, which needs nobody's consent."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction that could be signed, and why. `amount` is in base units of `asset`."""

    kind: AttemptKind
    attempt: int
    transaction: UnsignedTransaction
    order_digests: tuple[str, ...]
    terms: Terms
    asset: str | None
    amount: int
    payment_ids: tuple[str, ...] = ()
    ended: tuple[EndedSlot, ...] = ()

    @property
    def slot(self) -> SlotKey:
        transaction = self.transaction
        return transaction.chain_id, transaction.sender, transaction.nonce


def drafted(request: SignRequest) -> Draft:
    """What `request` asks for. Raises InvalidInput with the code of the refusal."""
    match request:
        case SignPayment():
            return _payment(request)
        case SignCancel():
            return _cancel(request)
        case SignAllowance():
            return _allowance(request)
        case SignTopUp():
            return _top_up(request)


def _payment(request: SignPayment) -> Draft:
    orders = tuple(parse_order(each) for each in request.orders)
    if not all(request.sender in order.permitted_wallets for order in orders):
        raise InvalidInput("WALLET_NOT_PERMITTED", "the order does not permit this wallet")
    if len(orders) == 1:
        if request.disperse is not None:
            raise InvalidInput("BATCH_SIZE", "one order is paid without the disperse contract")
        transaction = payment_transaction(
            orders[0], sender=request.sender, nonce=request.nonce, fees=request.fees
        )
    else:
        batch = Batch(orders)
        if request.disperse is None:
            raise InvalidInput("BATCH_WITHOUT_CONTRACT", "a batch names the disperse contract")
        transaction = batch_transaction(
            batch,
            disperse=request.disperse,
            sender=request.sender,
            nonce=request.nonce,
            fees=request.fees,
        )
    return Draft(
        kind=AttemptKind.PAYMENT,
        attempt=request.attempt,
        transaction=transaction,
        order_digests=tuple(digest(each).hex() for each in request.orders),
        terms=Payments(orders, request.disperse),
        asset=orders[0].token,
        amount=sum(item.amount_minor for order in orders for item in order.items),
        payment_ids=tuple(str(item.payment_id) for order in orders for item in order.items),
        ended=request.ended,
    )


def _cancel(request: SignCancel) -> Draft:
    if request.fees.gas_limit != CANCEL_GAS:
        raise InvalidInput("GAS_OVER_CAP", f"a cancel has a gas limit of {CANCEL_GAS}")
    return Draft(
        kind=AttemptKind.CANCEL,
        attempt=request.attempt,
        transaction=cancel_transaction(
            chain_id=request.chain_id,
            sender=request.sender,
            nonce=request.nonce,
            fees=request.fees,
        ),
        order_digests=(),
        terms=None,
        asset=None,
        amount=0,
    )


def _allowance(request: SignAllowance) -> Draft:
    order = parse_allowance_order(request.order)
    return Draft(
        kind=AttemptKind.ALLOWANCE,
        attempt=request.attempt,
        transaction=allowance_transaction(order, nonce=request.nonce, fees=request.fees),
        order_digests=(order.digest.hex(),),
        terms=order,
        asset=order.token,
        amount=order.amount_minor,
    )


def _top_up(request: SignTopUp) -> Draft:
    order = parse_top_up_order(request.order)
    return Draft(
        kind=AttemptKind.TOP_UP,
        attempt=request.attempt,
        transaction=top_up_transaction(order, nonce=request.nonce, fees=request.fees),
        order_digests=(order.digest.hex(),),
        terms=order,
        asset=NATIVE,
        amount=order.amount_wei,
    )
