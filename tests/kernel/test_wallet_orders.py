"""Allowances and top-ups: one spelling an order, and no kind's bytes are another's."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.signer import (
    DISPERSE,
    SECOND_WALLET,
    TOKEN,
    TREASURY,
    allowance_order,
    order,
    top_up_order,
)
from treasurer.kernel.allowance_order import parse_allowance_order
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.order import parse_order
from treasurer.kernel.top_up_order import parse_top_up_order
from treasurer.kernel.transaction import (
    FeeTerms,
    allowance_transaction,
    cancel_transaction,
    top_up_transaction,
)

FEES = FeeTerms(100_000, 20, 1)
KINDS: dict[str, tuple[Any, Callable[[bytes], Any]]] = {
    "payment": (order(), parse_order),
    "allowance": (allowance_order(), parse_allowance_order),
    "top_up": (top_up_order(), parse_top_up_order),
}


@pytest.mark.parametrize("kind", KINDS)
def test_orders_round_trip_and_no_kind_reads_another(kind: str) -> None:
    made, _ = KINDS[kind]
    for other, (_, parse) in KINDS.items():
        if other == kind:
            assert parse(made.canonical_bytes()) == made
        else:
            with pytest.raises(InvalidInput, match="ORDER_VERSION"):
                parse(made.canonical_bytes())


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (allowance_order(), "2806862ae8016da7f1cde72461c11f6bfec4b4c93813827c60825555c4830c23"),
        (top_up_order(), "29742aa8386ecd1bdd23d2ea3b587c775142efd3af886aee38064b7f946417b0"),
    ],
    ids=["allowance", "top_up"],
)
def test_golden_digests(made: Any, expected: str) -> None:
    assert made.digest.hex() == expected


@pytest.mark.parametrize("made", [allowance_order(), top_up_order()], ids=["allowance", "top_up"])
def test_every_field_is_in_the_digest(made: Any) -> None:
    for field in fields(made):
        value = getattr(made, field.name)
        other: Any
        match value:
            case UUID():
                other = UUID(int=value.int + 1)
            case int():
                other = value + 1
            case str():
                other = "0x" + "11" * 20
            case _:
                other = value + timedelta(seconds=1)
        assert replace(made, **{field.name: other}).digest != made.digest, field.name


@pytest.mark.parametrize("kind", ["allowance", "top_up"])
@given(data=st.data())
@settings(deadline=None)
def test_no_other_bytes_parse(kind: str, data: st.DataObject) -> None:
    made, parse = KINDS[kind]
    raw = bytearray(made.canonical_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    try:
        other = parse(bytes(raw))
    except InvalidInput:
        return
    assert other != made


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b" {}", b"[" * 50_000, b'{"chain_id":1}'])
@pytest.mark.parametrize(
    ("kind", "parse"),
    [(b"\xa1", parse_allowance_order), (b"\xb1", parse_top_up_order)],
    ids=["allowance", "top_up"],
)
def test_other_shapes_are_refused(
    kind: bytes, parse: Callable[[bytes], object], body: bytes
) -> None:
    with pytest.raises(InvalidInput, match="ORDER_SYNTAX"):
        parse(kind + body)


def test_an_allowance_is_never_unlimited_and_may_be_taken_back() -> None:
    with pytest.raises(InvalidInput, match="ORDER_AMOUNT"):
        allowance_order(amount_minor=2**256 - 1)
    with pytest.raises(InvalidInput, match="ORDER_AMOUNT"):
        allowance_order(amount_minor=-1)
    assert allowance_order(amount_minor=0).amount_minor == 0


def test_a_top_up_moves_something_to_another_wallet() -> None:
    with pytest.raises(InvalidInput, match="ORDER_AMOUNT"):
        top_up_order(amount_wei=0)
    with pytest.raises(InvalidInput, match="ORDER_WALLETS"):
        top_up_order(recipient=TREASURY)


def test_an_allowance_is_an_approve_of_the_exact_amount() -> None:
    call = allowance_transaction(allowance_order(amount_minor=5), nonce=3, fees=FEES)
    selector = keccak(text="approve(address,uint256)")[:4]
    assert call.data == selector + abi_encode(["address", "uint256"], [DISPERSE, 5])
    assert (call.to, call.sender, call.value_wei, call.nonce) == (TOKEN, TREASURY, 0, 3)


def test_a_top_up_is_a_plain_transfer_of_value() -> None:
    call = top_up_transaction(top_up_order(amount_wei=5), nonce=3, fees=FEES)
    assert (call.to, call.value_wei, call.data) == (SECOND_WALLET, 5, b"")


def test_a_cancel_sends_nothing_to_itself() -> None:
    fees = FeeTerms(21_000, 20, 1)
    call = cancel_transaction(chain_id=31337, sender=TREASURY, nonce=3, fees=fees)
    assert (call.to, call.sender, call.value_wei, call.data) == (TREASURY, TREASURY, 0, b"")
    assert (
        call.call_digest.hex() == "3637cf20f821c6e6a7b0aeac5b471223835a9995c86a29e5fb348db18f1d92ea"
    )
    with pytest.raises(ValueError, match="21000"):
        cancel_transaction(chain_id=31337, sender=TREASURY, nonce=3, fees=FEES)


@given(st.integers(0, 2**200), st.integers(0, 2**200))
@settings(deadline=None)
def test_a_replacement_costs_an_eighth_more_and_not_a_wei_less(most: int, tip: int) -> None:
    needed = FeeTerms(50_000, most, tip).replacement(gas_limit=21_000)
    assert needed.gas_limit == 21_000
    for before, after in (
        (most, needed.max_fee_per_gas_wei),
        (tip, needed.max_priority_fee_per_gas_wei),
    ):
        assert after * 8 >= before * 9
        assert before == 0 or (after - 1) * 8 < before * 9
