"""What was approved is what is signed: one spelling an order, other bytes are another order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from tests.support.signer import TREASURY, order
from treasurer.kernel.calldata import transfer_calldata
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.order import ExecutionOrder, OrderItem, parse_order
from treasurer.kernel.transaction import FeeTerms, payment_transaction

FEES = FeeTerms(100_000, 20, 1)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


@given(addresses, st.integers(1, 2**256 - 1))
def test_calldata_is_the_abi_encoding(recipient: str, amount_minor: int) -> None:
    selector = keccak(text="transfer(address,uint256)")[:4]
    expected = selector + abi_encode(["address", "uint256"], [recipient, amount_minor])
    assert transfer_calldata(recipient, amount_minor) == expected


@given(addresses, st.integers(1, 2**256 - 1))
def test_orders_round_trip(recipient: str, amount_minor: int) -> None:
    made = order(recipient=recipient, amount_minor=amount_minor)
    assert parse_order(made.canonical_bytes()) == made


def changed_orders(made: ExecutionOrder) -> dict[str, ExecutionOrder]:
    """The order with each of its fields changed in turn."""
    (item,) = made.items
    other = "0x" + "11" * 20
    quote = made.quote
    return {
        "organization_id": replace(made, organization_id=UUID(int=9)),
        "chain_id": replace(made, chain_id=1),
        "token": replace(made, token=other),
        "token_decimals": replace(made, token_decimals=18),
        "payment_id": replace(made, items=(replace(item, payment_id=UUID(int=99)),)),
        "recipient": replace(made, items=(replace(item, recipient=other),)),
        "amount_minor": replace(made, items=(replace(item, amount_minor=1),)),
        "permitted_wallets": replace(made, permitted_wallets=(other,)),
        "invoice_currency": replace(made, quote=replace(quote, invoice_currency="EUR")),
        "invoice_amount_minor": replace(made, quote=replace(quote, invoice_amount_minor=7)),
        "rate": replace(made, quote=replace(quote, rate_numerator=2)),
        "sources": replace(made, quote=replace(quote, sources=("other",))),
        "as_of": replace(made, quote=replace(quote, as_of=quote.as_of + timedelta(seconds=1))),
        "not_after": replace(made, not_after=made.not_after + timedelta(seconds=1)),
    }


@pytest.mark.parametrize("field", list(changed_orders(order())))
def test_every_field_is_in_the_digest(field: str) -> None:
    made = order()
    assert changed_orders(made)[field].digest != made.digest


@given(st.data())
def test_no_other_bytes_parse(data: st.DataObject) -> None:
    made = order()
    raw = bytearray(made.canonical_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    try:
        other = parse_order(bytes(raw))
    except InvalidInput:
        return
    assert other != made


@pytest.mark.parametrize("raw", [b"", b"\x02{}", b"\x01", b"\x01{}", b"\x01[]", b"\x01 {}"])
def test_other_shapes_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_order(raw)


def test_an_order_has_one_item_and_a_positive_amount() -> None:
    made = order()
    (item,) = made.items
    with pytest.raises(InvalidInput, match="ORDER_ITEMS"):
        replace(made, items=(item, item))
    with pytest.raises(InvalidInput, match="ORDER_AMOUNT"):
        replace(made, items=(OrderItem(item.payment_id, item.recipient, 0),))


def test_fees_are_not_in_the_call_digest_and_the_rest_is() -> None:
    made = order()
    first = payment_transaction(made, sender=TREASURY, nonce=4, fees=FEES)
    bumped = first.with_fees(FeeTerms(100_000, 25, 2))
    other_slot = payment_transaction(made, sender=TREASURY, nonce=5, fees=FEES)
    assert first.call_digest == bumped.call_digest
    assert first.call_digest != other_slot.call_digest


def test_a_wallet_that_was_not_permitted_cannot_send() -> None:
    with pytest.raises(ValueError, match="not a permitted wallet"):
        payment_transaction(order(), sender="0x" + "22" * 20, nonce=0, fees=FEES)


def test_golden_digests() -> None:
    """Stored approvals and the signer's journal hold these: the spelling never changes."""
    made = order(not_after=datetime(2026, 12, 1, tzinfo=UTC))
    assert made.digest.hex() == "c4a2b87d4adf0c980473adfa7e82a701c09814b00c3f70ca5db32dfcaf042cbf"
    call = payment_transaction(made, sender=TREASURY, nonce=4, fees=FEES)
    assert (
        call.call_digest.hex() == "a92e3ad4d0477f61d0e7286ebf3bffb38885e3b6365ce0833b666da8b44e4e12"
    )
