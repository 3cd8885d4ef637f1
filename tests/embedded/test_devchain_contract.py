"""What any chain node must answer us: the embedded chain, and anvil where it is installed."""

from collections.abc import Iterator

import pytest

from tests.support.chain import LAUNCHERS, NODES
from tests.support.embedded import (
    GWEI,
    JsonRpc,
    RpcRefusal,
    address,
    signed,
    token_transfer,
)
from treasurer.embedded.devchain.seed import MINTED_MINOR, deploy_test_usd
from treasurer.embedded.devchain.seed import test_usd_address as token_address

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
BALANCE_OF = "0x70a08231"
ETHER = 10**18


@pytest.fixture
def rpc(chain_url: str) -> Iterator[JsonRpc]:
    """A client on a chain that is put back as it was after each test."""
    with JsonRpc(chain_url) as client:
        snapshot = client("evm_snapshot")
        yield client
        client("evm_revert", snapshot)


@pytest.fixture(scope="module", params=NODES)
def chain_url(request: pytest.FixtureRequest) -> Iterator[str]:
    with LAUNCHERS[request.param]() as url:
        deploy_test_usd(url, mint_to=address(0))
        yield url


TOKEN = token_address()


def word(text: str) -> str:
    return "0x" + text.removeprefix("0x").rjust(64, "0")


def token_balance(rpc: JsonRpc, owner: str, tag: str = "latest") -> int:
    call = {"to": TOKEN, "data": BALANCE_OF + word(owner)[2:]}
    return int(rpc("eth_call", call, tag), 16)


def nonce(rpc: JsonRpc, account: int, tag: str = "latest") -> int:
    return int(rpc("eth_getTransactionCount", address(account), tag), 16)


def head(rpc: JsonRpc) -> int:
    return int(rpc("eth_blockNumber"), 16)


def test_identity(rpc: JsonRpc) -> None:
    assert rpc("eth_chainId") == "0x7a69"
    assert rpc("net_version") == "31337"
    assert address(0) == "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    assert address(9) == "0xa0ee7a142d267c1f36714e4a8f75612f20a79720"
    assert rpc("eth_accounts")[:2] == [address(0), address(1)]
    assert int(rpc("eth_getBalance", address(3), "latest"), 16) == 10_000 * ETHER


def test_token_transfer_moves_the_balance_and_tells_so(rpc: JsonRpc) -> None:
    raw, sent = token_transfer(0, 0, token=TOKEN, recipient=address(1), amount_minor=1_234_560_000)
    assert rpc("eth_sendRawTransaction", raw) == sent
    assert rpc("eth_getTransactionReceipt", sent) is None
    pending = rpc("eth_getTransactionByHash", sent)
    assert (pending["blockNumber"], pending["nonce"], pending["to"]) == (None, "0x0", TOKEN)

    rpc("evm_mine")
    block = rpc("eth_getBlockByNumber", "latest", False)
    receipt = rpc("eth_getTransactionReceipt", sent)
    assert receipt["status"] == "0x1"
    assert receipt["blockHash"] == block["hash"]
    assert receipt["from"] == address(0)
    assert receipt["to"] == TOKEN
    assert block["transactions"] == [sent]
    assert int(receipt["gasUsed"], 16) == int(block["gasUsed"], 16) > 21_000
    price = min(10 * GWEI, int(block["baseFeePerGas"], 16) + GWEI)
    assert int(receipt["effectiveGasPrice"], 16) == price
    (log,) = receipt["logs"]
    assert log["address"] == TOKEN
    assert log["topics"] == [TRANSFER, word(address(0)), word(address(1))]
    assert int(log["data"], 16) == 1_234_560_000
    assert (log["logIndex"], log["removed"]) == ("0x0", False)

    assert token_balance(rpc, address(1)) == 1_234_560_000
    assert token_balance(rpc, address(0)) == MINTED_MINOR - 1_234_560_000
    before = hex(head(rpc) - 1)
    assert token_balance(rpc, address(1), before) == 0
    fee_wei = int(receipt["gasUsed"], 16) * price
    spent = int(rpc("eth_getBalance", address(0), before), 16) - int(
        rpc("eth_getBalance", address(0), "latest"), 16
    )
    assert spent == fee_wei
    found = rpc("eth_getTransactionByHash", sent)
    assert found["blockHash"] == block["hash"]
    assert (found["maxFeePerGas"], found["maxPriorityFeePerGas"]) == (hex(10 * GWEI), hex(GWEI))
    assert rpc("eth_getBlockByHash", block["hash"], True)["transactions"] == [found]


def test_wrong_chain_id_is_refused(rpc: JsonRpc) -> None:
    raw, sent = signed(0, 0, to=address(1), value_wei=1, chain_id=1)
    with pytest.raises(RpcRefusal, match="invalid chain id"):
        rpc("eth_sendRawTransaction", raw)
    rpc("evm_mine")
    assert rpc("eth_getTransactionByHash", sent) is None
    assert nonce(rpc, 0) == 0


def test_several_nonces_of_one_sender_fly_at_once_in_any_order(rpc: JsonRpc) -> None:
    transfers = [
        token_transfer(0, n, token=TOKEN, recipient=address(2), amount_minor=10**n)
        for n in range(6)
    ]
    answers = rpc.batch(
        [("eth_sendRawTransaction", (transfers[n][0],)) for n in (5, 0, 3, 1, 4, 2)]
    )
    assert answers == [transfers[n][1] for n in (5, 0, 3, 1, 4, 2)]
    assert nonce(rpc, 0, "latest") == 0
    assert nonce(rpc, 0, "pending") == 6
    rpc("evm_mine")
    block = rpc("eth_getBlockByNumber", "latest", False)
    assert block["transactions"] == [sent for _, sent in transfers]
    assert token_balance(rpc, address(2)) == 111_111
    assert nonce(rpc, 0, "latest") == 6

    receipts = rpc("eth_getBlockReceipts", "latest")
    assert [r["transactionHash"] for r in receipts] == block["transactions"]
    assert [int(r["transactionIndex"], 16) for r in receipts] == [0, 1, 2, 3, 4, 5]
    assert [int(log["logIndex"], 16) for r in receipts for log in r["logs"]] == [0, 1, 2, 3, 4, 5]
    gas = [int(r["gasUsed"], 16) for r in receipts]
    assert [int(r["cumulativeGasUsed"], 16) for r in receipts] == [
        sum(gas[: n + 1]) for n in range(6)
    ]
    assert rpc("eth_getBlockReceipts", block["hash"]) == receipts
    assert rpc("eth_getBlockReceipts", hex(head(rpc) + 1)) is None


def test_nonce_gap_waits_until_it_is_filled(rpc: JsonRpc) -> None:
    early, early_hash = signed(1, 1, to=address(2), value_wei=7)
    rpc("eth_sendRawTransaction", early)
    rpc("evm_mine")
    assert rpc("eth_getTransactionReceipt", early_hash) is None
    assert nonce(rpc, 1, "pending") == 0
    first, _ = signed(1, 0, to=address(2), value_wei=5)
    rpc("eth_sendRawTransaction", first)
    assert nonce(rpc, 1, "pending") == 2
    rpc("evm_mine")
    assert int(rpc("eth_getBalance", address(2), "latest"), 16) == 10_000 * ETHER + 12
    assert nonce(rpc, 1) == 2


def test_replacement_needs_ten_percent_more(rpc: JsonRpc) -> None:
    old, old_hash = signed(0, 0, to=address(1), max_fee_wei=10 * GWEI, tip_wei=GWEI)
    rpc("eth_sendRawTransaction", old)
    with pytest.raises(RpcRefusal, match="replacement transaction underpriced"):
        rpc("eth_sendRawTransaction", signed(0, 0, to=address(2), tip_wei=GWEI)[0])
    new, new_hash = signed(0, 0, to=address(2), max_fee_wei=12 * GWEI, tip_wei=2 * GWEI)
    rpc("eth_sendRawTransaction", new)
    rpc("evm_mine")
    assert rpc("eth_getTransactionByHash", old_hash) is None
    assert rpc("eth_getTransactionReceipt", new_hash)["to"] == address(2)


@pytest.mark.parametrize(
    ("refusal", "terms"),
    [
        ("(?i)insufficient funds for gas", {"to": address(1), "value_wei": 10_000 * ETHER}),
        ("intrinsic gas too low", {"to": address(1), "gas": 20_999}),
        ("max priority fee", {"to": address(1), "max_fee_wei": GWEI, "tip_wei": 2 * GWEI}),
    ],
)
def test_hopeless_transaction_is_refused_in_geths_words(
    rpc: JsonRpc, refusal: str, terms: dict[str, object]
) -> None:
    with pytest.raises(RpcRefusal, match=refusal) as caught:
        rpc("eth_sendRawTransaction", signed(2, 0, **terms)[0])  # type: ignore[arg-type]
    assert caught.value.code in {-32000, -32003}


def test_known_and_stale_transactions_are_told_apart(rpc: JsonRpc) -> None:
    raw, _ = signed(0, 0, to=address(1), value_wei=1)
    rpc("eth_sendRawTransaction", raw)
    with pytest.raises(RpcRefusal, match=r"already (known|imported)"):
        rpc("eth_sendRawTransaction", raw)
    rpc("evm_mine")
    other, _ = signed(0, 0, to=address(2), value_wei=1)
    with pytest.raises(RpcRefusal, match="nonce too low"):
        rpc("eth_sendRawTransaction", other)


def test_reverted_transaction_is_mined_with_status_0(rpc: JsonRpc) -> None:
    raw, sent = token_transfer(3, 0, token=TOKEN, recipient=address(1), amount_minor=1)
    rpc("eth_sendRawTransaction", raw)
    rpc("evm_mine")
    receipt = rpc("eth_getTransactionReceipt", sent)
    assert (receipt["status"], receipt["logs"]) == ("0x0", [])
    assert nonce(rpc, 3) == 1


def test_call_and_estimate_tell_why_they_revert(rpc: JsonRpc) -> None:
    poor = {
        "from": address(3),
        "to": TOKEN,
        "data": "0xa9059cbb" + word(address(1))[2:] + word("1")[2:],
    }
    for method in ("eth_call", "eth_estimateGas"):
        with pytest.raises(RpcRefusal, match="TestUSD: balance too small") as caught:
            rpc(method, poor)
        assert caught.value.code == 3
        assert caught.value.data is not None
        assert caught.value.data.startswith("0x08c379a0")


def test_estimate_suffices_and_is_close(rpc: JsonRpc) -> None:
    raw, sent = token_transfer(0, 0, token=TOKEN, recipient=address(1), amount_minor=5)
    estimate = int(
        rpc(
            "eth_estimateGas",
            {
                "from": address(0),
                "to": TOKEN,
                "data": "0xa9059cbb" + word(address(1))[2:] + word("5")[2:],
            },
        ),
        16,
    )
    raw, sent = token_transfer(
        0, 0, token=TOKEN, recipient=address(1), amount_minor=5, gas=estimate
    )
    rpc("eth_sendRawTransaction", raw)
    rpc("evm_mine")
    receipt = rpc("eth_getTransactionReceipt", sent)
    assert receipt["status"] == "0x1"
    assert 0 <= estimate - int(receipt["gasUsed"], 16) <= 1000
    assert rpc("eth_estimateGas", {"from": address(0), "to": address(1), "value": "0x1"}) == (
        "0x5208"
    )


def test_finalized_lags_two_blocks(rpc: JsonRpc) -> None:
    for _ in range(4):
        rpc("evm_mine")
    latest = rpc("eth_getBlockByNumber", "latest", False)
    final = rpc("eth_getBlockByNumber", "finalized", False)
    assert int(final["number"], 16) == int(latest["number"], 16) - 2
    between = rpc("eth_getBlockByHash", latest["parentHash"], False)
    assert between["parentHash"] == final["hash"]
    assert int(between["timestamp"], 16) <= int(latest["timestamp"], 16)
    assert token_balance(rpc, address(0), "finalized") == MINTED_MINOR


def test_logs_by_range_and_by_block_hash(rpc: JsonRpc) -> None:
    start = head(rpc)
    for n, recipient in enumerate((1, 2, 1)):
        transfer = token_transfer(0, n, token=TOKEN, recipient=address(recipient), amount_minor=n)
        rpc("eth_sendRawTransaction", transfer[0])
        rpc("evm_mine")
    everything = {"fromBlock": hex(start + 1), "toBlock": "latest", "address": TOKEN}
    logs = rpc("eth_getLogs", everything)
    assert [int(log["data"], 16) for log in logs] == [0, 1, 2]
    to_first = {**everything, "topics": [TRANSFER, None, [word(address(1)), word(address(7))]]}
    assert [int(log["data"], 16) for log in rpc("eth_getLogs", to_first)] == [0, 2]
    assert rpc("eth_getLogs", {**everything, "address": address(5)}) == []
    one_block = {**everything, "fromBlock": hex(start + 2), "toBlock": hex(start + 2)}
    assert rpc("eth_getLogs", one_block) == logs[1:2]
    assert rpc("eth_getLogs", {"blockHash": logs[1]["blockHash"]}) == logs[1:2]


def test_fee_history_has_rewards_and_the_next_base_fee(rpc: JsonRpc) -> None:
    for sender, tip in ((1, 3 * GWEI), (2, GWEI), (3, 2 * GWEI)):
        rpc("eth_sendRawTransaction", signed(sender, 0, to=address(4), tip_wei=tip, gas=21_000)[0])
    rpc("evm_mine")
    rpc("evm_mine")
    history = rpc("eth_feeHistory", "0x2", "latest", [0, 50, 100])
    assert int(history["oldestBlock"], 16) == head(rpc) - 1
    assert len(history["baseFeePerGas"]) == 3
    assert history["gasUsedRatio"] == [63_000 / 30_000_000, 0]
    assert history["reward"] == [[hex(GWEI), hex(2 * GWEI), hex(3 * GWEI)], ["0x0"] * 3]
    full = rpc("eth_getBlockByNumber", hex(head(rpc) - 1), False)
    assert history["baseFeePerGas"][0] == full["baseFeePerGas"]
    rpc("evm_mine")
    assert (
        history["baseFeePerGas"][2]
        == (rpc("eth_getBlockByNumber", "latest", False)["baseFeePerGas"])
    )


def test_revert_takes_back_blocks_receipts_and_state(rpc: JsonRpc) -> None:
    base = rpc("eth_getBlockByNumber", "latest", False)
    snapshot = rpc("evm_snapshot")
    raw, sent = signed(0, 0, to=address(1), value_wei=3)
    rpc("eth_sendRawTransaction", raw)
    rpc("evm_mine")
    orphan = rpc("eth_getBlockByNumber", "latest", False)["hash"]
    assert rpc("evm_revert", snapshot) is True
    assert rpc("eth_getBlockByNumber", "latest", False) == base
    assert rpc("eth_getTransactionReceipt", sent) is None
    assert rpc("eth_getBlockByHash", orphan, False) is None
    raw, other = signed(0, 0, to=address(2), value_wei=4)
    rpc("eth_sendRawTransaction", raw)
    rpc("evm_mine")
    replacing = rpc("eth_getBlockByNumber", "latest", False)
    assert replacing["parentHash"] == base["hash"]
    assert replacing["hash"] != orphan
    assert replacing["transactions"] == [other]


def test_batch_answers_each_request_and_bad_ones_by_themselves(rpc: JsonRpc) -> None:
    good, unknown, short = rpc.batch(
        [
            ("eth_chainId", ()),
            ("eth_doesNotExist", ()),
            ("eth_getBalance", ()),
        ]
    )
    assert good == "0x7a69"
    assert isinstance(unknown, RpcRefusal)
    assert unknown.code == -32601
    assert isinstance(short, RpcRefusal)
    assert short.code == -32602


def test_what_is_unknown_is_null_and_what_is_malformed_is_an_error(rpc: JsonRpc) -> None:
    nowhere = "0x" + "ab" * 32
    assert rpc("eth_getTransactionByHash", nowhere) is None
    assert rpc("eth_getTransactionReceipt", nowhere) is None
    assert rpc("eth_getBlockByHash", nowhere, False) is None
    assert rpc("eth_getBlockByNumber", "0xffffff", False) is None
    assert rpc("eth_getCode", address(1), "latest") == "0x"
    for method, params in (
        ("eth_getBalance", (address(0), "0xffffff")),
        ("eth_getBlockByNumber", ("newest", False)),
        ("eth_getBalance", ("0x12", "latest")),
        ("eth_sendRawTransaction", ("0x02c0",)),
        ("eth_sendRawTransaction", ("0x",)),
    ):
        with pytest.raises(RpcRefusal) as caught:
            rpc(method, *params)
        assert "internal error" not in caught.value.message
