"""A batch follows from its orders: nothing about it is chosen."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.signer import DISPERSE, HALDEN, QORVANE, TOKEN, TREASURY, order
from treasurer.kernel.batch import MOST_ORDERS, Batch
from treasurer.kernel.calldata import disperse_calldata
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.order import ExecutionOrder, OrderItem
from treasurer.kernel.transaction import FeeTerms, batch_transaction

FEES = FeeTerms(100_000, 20, 1)
END = datetime(2026, 12, 1, tzinfo=UTC)
items = st.lists(
    st.builds(
        OrderItem,
        st.uuids(),
        st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
        st.integers(1, 2**256 - 1),
    ),
    min_size=1,
    max_size=MOST_ORDERS,
)


def orders(count: int = 2) -> tuple[ExecutionOrder, ...]:
    return tuple(order(payment=number, not_after=END) for number in range(count))


@given(st.binary(min_size=32, max_size=32), items)
@settings(deadline=None)
def test_calldata_is_the_abi_encoding(batch_id: bytes, paid: list[OrderItem]) -> None:
    signature = "disperse(address,bytes32,address[],uint256[])"
    expected = keccak(text=signature)[:4] + abi_encode(
        ["address", "bytes32", "address[]", "uint256[]"],
        [TOKEN, batch_id, [item.recipient for item in paid], [item.amount_minor for item in paid]],
    )
    assert disperse_calldata(TOKEN, batch_id, paid) == expected


def test_the_batch_id_is_the_digest_of_the_order_digests() -> None:
    first, second = orders()
    assert Batch((first, second)).batch_id == hashlib.sha256(first.digest + second.digest).digest()
    assert Batch((second, first)).batch_id != Batch((first, second)).batch_id


def test_golden() -> None:
    batch = Batch(
        (order(payment=1, not_after=END), order(payment=2, recipient=QORVANE, not_after=END))
    )
    assert (
        batch.batch_id.hex() == "10df3c4cbf39eaac0635853a461a155926fcd9686f186ec498fc52282b751f93"
    )
    call = batch_transaction(batch, disperse=DISPERSE, sender=TREASURY, nonce=4, fees=FEES)
    assert (
        call.call_digest.hex() == "e9466e98a90b247df10de4b6cc674d3f13f47c60787fdc3ea87f1cf52b64c9c1"
    )


def test_the_sum_is_paid_by_the_earliest_deadline() -> None:
    early = END - timedelta(days=1)
    batch = Batch(
        (
            order(payment=1, amount_minor=3, not_after=END),
            order(payment=2, amount_minor=4, recipient=QORVANE, not_after=early),
        )
    )
    assert batch.not_after == early
    assert batch.amount_minor == 7
    assert [item.recipient for item in batch.items] == [HALDEN, QORVANE]
    call = batch_transaction(batch, disperse=DISPERSE, sender=TREASURY, nonce=4, fees=FEES)
    assert (call.to, call.value_wei, call.sender) == (DISPERSE, 0, TREASURY)


@pytest.mark.parametrize(
    "change",
    [
        {"organization_id": UUID(int=9)},
        {"chain_id": 1},
        {"token": "0x" + "11" * 20},
        {"token_decimals": 18},
    ],
    ids=str,
)
def test_orders_of_other_terms_do_not_mix(change: dict[str, object]) -> None:
    first, second = orders()
    with pytest.raises(InvalidInput, match="BATCH_MIXED"):
        Batch((first, replace(second, **change)))  # type: ignore[arg-type]


def test_a_payment_stands_once_in_a_batch() -> None:
    first, _ = orders()
    with pytest.raises(InvalidInput, match="BATCH_REPEATED"):
        Batch((first, replace(first, items=(replace(first.items[0], amount_minor=1),))))


@pytest.mark.parametrize("count", [0, 1, MOST_ORDERS + 1])
def test_a_batch_has_two_to_a_hundred_orders(count: int) -> None:
    with pytest.raises(InvalidInput, match="BATCH_SIZE"):
        Batch(orders(count))
    assert len(Batch(orders(MOST_ORDERS)).items) == 100


def test_each_order_must_permit_the_wallet() -> None:
    first, second = orders()
    batch = Batch((first, replace(second, permitted_wallets=("0x" + "22" * 20,))))
    assert not batch.permits(TREASURY)
    with pytest.raises(ValueError, match="not a permitted wallet"):
        batch_transaction(batch, disperse=DISPERSE, sender=TREASURY, nonce=0, fees=FEES)
