"""What was approved is what is signed: each field of an approved order, changed in turn, stops it.

Fields are read from the types, so that a new one fails here until somebody says how it is changed.
"""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from policy.quorum import Choice
from saga.steps.reserve import reserve
from saga.steps.sign import order_request
from saga.transfer import Transfer, TransferItem, TransferState
from tests.support.approvals import RECIPIENT, USDC, WALLET
from tests.support.clock import START
from tests.support.payees import FOREIGN_ADDRESS
from tests.support.treasury import Treasury
from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import OrganizationId, PaymentId, TransferId, WalletId
from treasurer.kernel.order import ExecutionOrder, OrderItem, Quote, parse_order
from treasurer.kernel.transaction import FeeTerms
from treasurer.payments.model import Payment, PaymentState

_SECOND = timedelta(seconds=1)
ORDER: dict[str, Any] = {
    "organization_id": lambda _: OrganizationId(uuid7()),
    "chain_id": lambda chain_id: chain_id + 1,
    "token": lambda _: FOREIGN_ADDRESS,
    "token_decimals": lambda decimals: decimals + 1,
    "items": lambda items: (replace(items[0], amount_minor=1),),
    "permitted_wallets": lambda _: (FOREIGN_ADDRESS,),
    "quote": lambda quote: replace(quote, sources=("elsewhere",)),
    "not_after": lambda not_after: not_after + _SECOND,
}
ITEM: dict[str, Any] = {
    "payment_id": lambda _: PaymentId(uuid7()),
    "recipient": lambda _: FOREIGN_ADDRESS,
    "amount_minor": lambda amount: amount + 1,
}
QUOTE: dict[str, Any] = {
    "invoice_currency": lambda _: "EUR",
    "invoice_amount_minor": lambda amount: amount + 1,
    "invoice_decimals": lambda decimals: decimals + 1,
    "rate_numerator": lambda part: part + 1,
    "rate_denominator": lambda part: part + 1,
    "sources": lambda sources: (*sources, "another"),
    "as_of": lambda as_of: as_of - _SECOND,
    "valid_until": lambda until: until + _SECOND,
}


def mutants(order: ExecutionOrder) -> dict[str, ExecutionOrder]:
    """The order with one field changed, by the field's name."""
    (item,) = order.items

    def changed(of: Any, name: str, change: Any) -> Any:
        return replace(of, **{name: change(getattr(of, name))})

    return {
        **{name: changed(order, name, change) for name, change in ORDER.items()},
        **{
            f"items.{name}": replace(order, items=(changed(item, name, change),))
            for name, change in ITEM.items()
        },
        **{
            f"quote.{name}": replace(order, quote=changed(order.quote, name, change))
            for name, change in QUOTE.items()
        },
    }


@pytest.mark.parametrize(
    ("kind", "changes"), [(ExecutionOrder, ORDER), (OrderItem, ITEM), (Quote, QUOTE)]
)
def test_every_field_is_changed_in_turn(kind: type, changes: dict[str, Any]) -> None:
    assert {field.name for field in fields(kind)} == set(changes)


async def _approved(treasury: Treasury, number: str) -> Payment:
    payment = await treasury.propose(number, 4_150_000_000, "V-002")
    request = await treasury.approvals.newest(treasury.organization.cfo, payment.id)
    assert request is not None
    await treasury.approvals.vote(
        treasury.organization.approver, request.id, Choice.APPROVE, "", request.order_digest
    )
    return await treasury.payment(payment)


async def test_a_changed_order_is_never_reserved(treasury: Treasury) -> None:
    """Bytes that are not the digest's: the books are broken, and nothing of the payment goes on."""
    payment = await _approved(treasury, "QL-1")
    order = parse_order(payment.order_bytes)
    for name, mutant in mutants(order).items():
        await treasury.execute(
            "UPDATE payments SET order_bytes = :bytes WHERE id = :id",
            bytes=mutant.canonical_bytes(),
            id=payment.id,
        )
        with pytest.raises(InvariantViolated) as refused:
            await reserve(treasury.context(), treasury.organization.id, [payment.id])
        assert refused.value.code == "ORDER_CHANGED", name
    assert await treasury.rows("SELECT id FROM transfers") == []
    await treasury.execute(
        "UPDATE payments SET order_bytes = :bytes WHERE id = :id",
        bytes=payment.order_bytes,
        id=payment.id,
    )
    assert len(await reserve(treasury.context(), treasury.organization.id, [payment.id])) == 1


async def test_a_changed_order_with_its_own_digest_finds_no_votes(treasury: Treasury) -> None:
    """I13: votes bind the digest, so another order is asked about anew or refused, never reserved."""
    template = await _approved(treasury, "QL-0")
    for name, mutant in mutants(parse_order(template.order_bytes)).items():
        await treasury.execute(
            "UPDATE payments SET state = 'approved', order_bytes = :bytes, order_digest = :digest,"
            " next_at = now() WHERE id = :id",
            bytes=mutant.canonical_bytes(),
            digest=mutant.digest,
            id=template.id,
        )
        assert await reserve(treasury.context(), treasury.organization.id, [template.id]) == [], (
            name
        )
        state = (await treasury.rows("SELECT state FROM payments"))[0][0]
        assert state in (
            PaymentState.AWAITING_APPROVAL,
            PaymentState.DENIED,
            PaymentState.APPROVED,
        ), name
    assert await treasury.rows("SELECT id FROM transfers") == []


def test_a_changed_order_is_never_handed_to_the_signer() -> None:
    payment_id, now = PaymentId(uuid7()), START
    order = ExecutionOrder(
        organization_id=OrganizationId(uuid7()),
        chain_id=31337,
        token=USDC,
        token_decimals=6,
        items=(OrderItem(payment_id, RECIPIENT, 4_150_000_000),),
        permitted_wallets=(WALLET,),
        quote=Quote("USD", 415_000, 2, 1, 1, ("par",), now, now),
        not_after=now,
    )
    transfer = _slotted(order)
    assert order_request(transfer, [order.canonical_bytes()], attempt=1).orders
    for name, mutant in mutants(order).items():
        with pytest.raises(InvariantViolated, match="ORDER_CHANGED"):
            order_request(transfer, [mutant.canonical_bytes()], attempt=1)
        assert mutant.digest != order.digest, name
    with pytest.raises(InvariantViolated, match="ORDER_CHANGED"):
        order_request(transfer, [], attempt=1)


def _slotted(order: ExecutionOrder) -> Transfer:
    (item,) = order.items
    return Transfer(
        id=TransferId(uuid7()),
        organization_id=order.organization_id,
        wallet_id=WalletId(uuid7()),
        chain_id=order.chain_id,
        sender=WALLET,
        token=order.token,
        disperse=None,
        state=TransferState.SLOTTED,
        nonce=0,
        fees=FeeTerms(120_000, 100, 10),
        call_digest=b"\0" * 32,
        block_number=None,
        block_hash=None,
        tries=0,
        sent_at=None,
        created_at=START,
        items=(TransferItem(item.payment_id, item.recipient, item.amount_minor, 1, order.digest),),
    )
