"""Which logs prove a payment (I6), and which contradict it."""

import pytest

from treasurer.chain.port import Log, Receipt
from treasurer.chain.tokens import (
    TRANSFER_TOPIC,
    ExpectedItem,
    decode_transfers,
    match_items,
    net_changes,
)

TOKEN = "0x" + "aa" * 20
OTHER_TOKEN = "0x" + "bb" * 20
WALLET = "0x" + "01" * 20
HALDEN = "0x" + "02" * 20
QORVANE = "0x" + "03" * 20


def word(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])


def transfer(index: int, sender: str, recipient: str, amount: int, token: str = TOKEN) -> Log:
    topics = (TRANSFER_TOPIC, word(sender), word(recipient))
    return Log(token, topics, amount.to_bytes(32), index)


def receipt(*logs: Log, succeeded: bool = True) -> Receipt:
    return Receipt(bytes(32), 5, bytes(32), succeeded, 50_000, 10, logs)


ITEMS = [ExpectedItem(HALDEN, 100), ExpectedItem(QORVANE, 200)]


def test_items_map_to_logs_in_order_of_emission() -> None:
    logs = [
        transfer(3, QORVANE, HALDEN, 7),  # another's transfer is not ours
        transfer(4, WALLET, HALDEN, 100),
        transfer(5, WALLET, HALDEN, 100, token=OTHER_TOKEN),
        transfer(9, WALLET, QORVANE, 200),
    ]
    match = match_items(receipt(*logs), token=TOKEN, sender=WALLET, items=ITEMS)
    assert match.log_indexes == (4, 9)
    assert match.contradiction is None


@pytest.mark.parametrize(
    ("logs", "words"),
    [
        ([], "0 transfers left the wallet, 2 expected"),
        ([transfer(1, WALLET, HALDEN, 100)], "1 transfers"),
        (
            [transfer(1, WALLET, QORVANE, 200), transfer(2, WALLET, HALDEN, 100)],
            f"item 0 went to {QORVANE}",
        ),
        (
            [transfer(1, WALLET, HALDEN, 99), transfer(2, WALLET, QORVANE, 200)],
            "item 0 moved 99, not 100",
        ),
        (
            [
                transfer(1, WALLET, HALDEN, 100),
                transfer(2, WALLET, QORVANE, 200),
                transfer(3, WALLET, QORVANE, 1),
            ],
            "3 transfers",
        ),
        (
            [
                transfer(1, WALLET, HALDEN, 100, token=OTHER_TOKEN),
                transfer(2, WALLET, QORVANE, 200, token=OTHER_TOKEN),
            ],
            "0 transfers",
        ),
    ],
    ids=["none", "one missing", "order", "amount", "one more", "other token"],
)
def test_contradictions(logs: list[Log], words: str) -> None:
    match = match_items(receipt(*logs), token=TOKEN, sender=WALLET, items=ITEMS)
    assert match.log_indexes == ()
    assert match.contradiction is not None
    assert words in match.contradiction


def test_a_reverted_receipt_proves_nothing_even_with_logs() -> None:
    logs = [transfer(1, WALLET, HALDEN, 100)]
    match = match_items(
        receipt(*logs, succeeded=False), token=TOKEN, sender=WALLET, items=ITEMS[:1]
    )
    assert match.contradiction == "the transaction reverted"


def test_logs_of_another_shape_are_no_transfers() -> None:
    good = transfer(1, WALLET, HALDEN, 100)
    fourth = Log(TOKEN, (*good.topics, bytes(32)), b"", 2)
    approval = Log(TOKEN, (bytes(32), *good.topics[1:]), good.data, 3)
    short = Log(TOKEN, good.topics, good.data[:31], 4)
    found = decode_transfers(receipt(good, fourth, approval, short), TOKEN)
    assert [entry.log_index for entry in found] == [1]


def test_net_changes_over_a_block() -> None:
    block = [
        receipt(transfer(1, WALLET, HALDEN, 100), transfer(2, QORVANE, WALLET, 30)),
        receipt(transfer(3, WALLET, WALLET, 999), transfer(4, WALLET, HALDEN, 5, OTHER_TOKEN)),
    ]
    assert net_changes(block, token=TOKEN) == {WALLET: -70, HALDEN: 100, QORVANE: -30}
