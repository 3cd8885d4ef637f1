"""What each fault of a provider becomes: a read error by name, a broadcast outcome, never a guess."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from tests.support.chain import FaultyNode, block_answer, development_profile, receipt_answer
from tests.support.embedded import address, signed
from treasurer.chain.errors import (
    CallReverted,
    ChainBadAnswer,
    ChainHttpError,
    ChainRateLimited,
    ChainReorganised,
    ChainTimeout,
    ChainUnreachable,
    RpcError,
    broadcast_outcome,
)
from treasurer.chain.evm import EvmChain
from treasurer.chain.finality import Depth
from treasurer.chain.port import BroadcastOutcome
from treasurer.kernel.errors import Transient

RAW, HASH = signed(0, 0, to=address(1))
BYTES = bytes.fromhex(RAW[2:])
ONE_SECOND = replace(development_profile(), rpc_timeout_s=1, rpc_batch_limit=3)


@pytest.fixture
def node() -> Iterator[FaultyNode]:
    with FaultyNode() as faulty:
        faulty.answers = {"eth_chainId": "0x7a69", "eth_sendRawTransaction": HASH}
        yield faulty


@pytest_asyncio.fixture
async def chain(node: FaultyNode) -> AsyncIterator[EvmChain]:
    async with EvmChain(node.url, ONE_SECOND) as opened:
        yield opened


async def test_the_straight_answers(node: FaultyNode, chain: EvmChain) -> None:
    assert await chain.chain_id() == 31337
    assert await chain.broadcast(BYTES) is BroadcastOutcome.ACCEPTED


@pytest.mark.parametrize(
    ("status", "body", "read_error"),
    [
        (429, b"slow down", ChainRateLimited),
        (500, b"<html>Bad gateway</html>", ChainHttpError),
        (503, b'{"status":"down"}', ChainHttpError),
        (200, b"<html>It works!</html>", ChainBadAnswer),
        (200, b'{"jsonrpc":"2.0","id":0}', ChainBadAnswer),
        (200, b"[]", ChainBadAnswer),
        (200, b"null", ChainBadAnswer),
        (200, b"", ChainBadAnswer),
        (200, b"[1, 2]", ChainBadAnswer),
        (200, b"\xff\xfe", ChainBadAnswer),
        (200, b"[" * 100_000, ChainBadAnswer),
        (200, b'[{"id":"0","result":"0x1"},{"id":9,"result":"0x1"}]', ChainBadAnswer),
        (201, b'{"jsonrpc":"2.0","id":0,"result":"0x7a69"}', ChainHttpError),
        (200, b'{"jsonrpc":"2.0","id":0,"result":"garbage"}', ChainBadAnswer),
        (200, b'{"jsonrpc":"2.0","id":0,"result":null}', ChainBadAnswer),
        (400, b'{"id":0,"error":{"code":-32005,"message":"daily limit"}}', ChainRateLimited),
        (200, b'{"id":null,"error":{"code":-32000,"message":"no backend"}}', RpcError),
    ],
)
async def test_a_spoilt_answer(
    node: FaultyNode, chain: EvmChain, status: int, body: bytes, read_error: type[Transient]
) -> None:
    node.status, node.body = status, body
    with pytest.raises(read_error):
        await chain.chain_id()
    assert await chain.broadcast(BYTES) is BroadcastOutcome.UNKNOWN
    assert await chain.broadcast_many([BYTES] * 4) == [BroadcastOutcome.UNKNOWN] * 4


async def test_silence(node: FaultyNode, chain: EvmChain) -> None:
    node.silent = True
    with pytest.raises(ChainTimeout):
        await chain.chain_id()
    assert await chain.broadcast(BYTES) is BroadcastOutcome.UNKNOWN
    assert len(node.requests) == 2


async def test_a_connection_that_breaks_is_not_sent_over_again(
    node: FaultyNode, chain: EvmChain
) -> None:
    assert await chain.chain_id() == 31337
    node.hangs_up = True
    assert await chain.broadcast(BYTES) is BroadcastOutcome.UNKNOWN
    with pytest.raises(ChainUnreachable):
        await chain.chain_id()
    assert len(node.requests) == 3
    node.hangs_up = False
    assert await chain.broadcast(BYTES) is BroadcastOutcome.ACCEPTED


@pytest.mark.parametrize("status", [301, 307])
async def test_a_redirect_is_not_followed(node: FaultyNode, chain: EvmChain, status: int) -> None:
    with FaultyNode() as elsewhere:
        elsewhere.answers = node.answers
        node.status, node.headers = status, {"Location": elsewhere.url}
        with pytest.raises(ChainHttpError):
            await chain.chain_id()
        assert await chain.broadcast(BYTES) is BroadcastOutcome.UNKNOWN
        assert elsewhere.requests == []


async def test_no_proxy_from_the_environment(
    node: FaultyNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyNode() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with EvmChain(node.url, ONE_SECOND) as chain:
            assert await chain.chain_id() == 31337
        assert proxy.requests == []


@pytest.mark.parametrize(
    "renumber",
    [
        pytest.param(lambda identity: identity + 1, id="shifted"),
        pytest.param(lambda identity: str(identity), id="text"),
        pytest.param(lambda identity: 2**70, id="all_the_same"),
    ],
)
async def test_answers_to_other_ids_are_no_answers(
    node: FaultyNode, chain: EvmChain, renumber: Callable[[int], Any]
) -> None:
    node.renumber = renumber
    node.answers["eth_getBalance"] = lambda account, tag: hex(int(account, 16))
    with pytest.raises(ChainBadAnswer):
        await chain.native_balances([f"0x{number:040x}" for number in range(3)])
    with pytest.raises(ChainBadAnswer):
        await chain.chain_id()
    assert await chain.broadcast(BYTES) is BroadcastOutcome.UNKNOWN


async def test_an_unanswered_call_leaves_the_others_their_own_answers(
    node: FaultyNode, chain: EvmChain
) -> None:
    raws = [signed(0, nonce, to=address(1)) for nonce in range(3)]
    hashes = dict(raws)
    node.answers["eth_sendRawTransaction"] = lambda raw: hashes[raw]
    # Web3 sorts the two answers that come, whoever asked for them; only ids tell which they are.
    node.renumber = lambda identity: 99 if identity == 1 else identity
    outcomes = await chain.broadcast_many([bytes.fromhex(raw[2:]) for raw, _ in raws])
    assert outcomes == [
        BroadcastOutcome.ACCEPTED,
        BroadcastOutcome.UNKNOWN,
        BroadcastOutcome.ACCEPTED,
    ]


async def test_callers_who_give_up_leave_the_node_usable(node: FaultyNode, chain: EvmChain) -> None:
    for turns in range(40):
        asked = [asyncio.create_task(chain.chain_id()) for _ in range(4)]
        for _ in range(turns % 8):
            await asyncio.sleep(0)
        for abandoned in asked[:3]:
            abandoned.cancel()
        async with asyncio.timeout(10):
            assert await asked[3] == 31337


async def test_nobody_listens() -> None:
    with FaultyNode() as gone:
        url = gone.url
    async with EvmChain(url, ONE_SECOND) as chain:
        with pytest.raises(ChainUnreachable):
            await chain.head()
        assert await chain.broadcast(BYTES) is BroadcastOutcome.UNKNOWN


async def test_another_hash_than_ours_is_no_acceptance(node: FaultyNode, chain: EvmChain) -> None:
    node.answers["eth_sendRawTransaction"] = "0x" + "ab" * 32
    assert await chain.broadcast(BYTES) is BroadcastOutcome.UNKNOWN


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ("already known", BroadcastOutcome.ALREADY_KNOWN),
        ("AlreadyKnown", BroadcastOutcome.ALREADY_KNOWN),
        ("known transaction: 0xabc", BroadcastOutcome.ALREADY_KNOWN),
        ("transaction already imported", BroadcastOutcome.ALREADY_KNOWN),
        ("nonce too low: next nonce 5, tx nonce 4", BroadcastOutcome.NONCE_TOO_LOW),
        ("OldNonce, Current nonce: 5", BroadcastOutcome.NONCE_TOO_LOW),
        ("replacement transaction underpriced", BroadcastOutcome.UNDERPRICED),
        ("transaction underpriced: tip needed 1", BroadcastOutcome.UNDERPRICED),
        ("FeeTooLowToCompete", BroadcastOutcome.UNDERPRICED),
        (
            "max fee per gas less than block base fee: address 0x1",
            BroadcastOutcome.UNDERPRICED,
        ),
        ("insufficient funds for gas * price + value", BroadcastOutcome.REJECTED),
        ("intrinsic gas too low: gas 1", BroadcastOutcome.REJECTED),
        ("invalid sender: invalid chain id for signer", BroadcastOutcome.REJECTED),
        ("exceeds block gas limit", BroadcastOutcome.REJECTED),
        ("header not found", BroadcastOutcome.UNKNOWN),
        ("internal error", BroadcastOutcome.UNKNOWN),
        ("", BroadcastOutcome.UNKNOWN),
    ],
)
async def test_the_words_of_nodes(
    node: FaultyNode, chain: EvmChain, message: str, outcome: BroadcastOutcome
) -> None:
    node.errors["eth_sendRawTransaction"] = {"code": -32000, "message": message}
    assert await chain.broadcast(BYTES) is outcome


def test_a_rate_limit_is_unknown_whatever_it_says() -> None:
    assert broadcast_outcome(-32005, "nonce too low") is BroadcastOutcome.UNKNOWN


async def test_a_batch_in_any_order_and_in_pieces(node: FaultyNode, chain: EvmChain) -> None:
    node.answers["eth_getBalance"] = lambda account, tag: hex(int(account, 16) * 10)
    owners = [f"0x{number:040x}" for number in range(1, 9)]
    assert await chain.native_balances(owners, 5) == [number * 10 for number in range(1, 9)]
    sizes = [len(request) if isinstance(request, list) else 1 for request in node.requests]
    assert sorted(sizes) == [2, 3, 3]
    asked = node.requests[0]
    assert asked[0]["params"][1] == "0x5"
    assert await chain.native_balances([]) == []


async def test_writes_keep_their_order(node: FaultyNode, chain: EvmChain) -> None:
    raws = [signed(0, nonce, to=address(1)) for nonce in range(7)]
    hashes = dict(raws)
    node.answers["eth_sendRawTransaction"] = lambda raw: hashes[raw]
    outcomes = await chain.broadcast_many([bytes.fromhex(raw[2:]) for raw, _ in raws])
    assert outcomes == [BroadcastOutcome.ACCEPTED] * 7
    sent = [
        entry["params"][0]
        for request in node.requests
        for entry in (request if isinstance(request, list) else [request])
    ]
    assert sent == [raw for raw, _ in raws]


async def test_block_receipts_fall_back_to_single_ones(node: FaultyNode, chain: EvmChain) -> None:
    digests = [f"0x{number:064x}" for number in (11, 12)]
    node.answers["eth_getBlockByNumber"] = lambda tag, full: block_answer(5, transactions=digests)
    node.answers["eth_getTransactionReceipt"] = lambda digest: receipt_answer(5, digest)
    for _ in range(2):
        receipts = await chain.receipts(5)
        assert receipts is not None
        assert [receipt.transaction_hash.hex() for receipt in receipts] == [
            digest[2:] for digest in digests
        ]
    methods = [request["method"] for request in node.requests if isinstance(request, dict)]
    assert methods.count("eth_getBlockReceipts") == 1


@pytest.mark.parametrize("spoilt", [None, "other_block"])
async def test_a_block_that_changed_between_answers(
    node: FaultyNode, chain: EvmChain, spoilt: str | None
) -> None:
    digests = [f"0x{number:064x}" for number in (11, 12)]
    node.answers["eth_getBlockByNumber"] = lambda tag, full: block_answer(5, transactions=digests)
    node.answers["eth_getTransactionReceipt"] = lambda digest: (
        spoilt and receipt_answer(5, digest, "0x" + "ee" * 32)
    )
    with pytest.raises(ChainReorganised):
        await chain.receipts(5)
    node.answers["eth_getBlockReceipts"] = [
        receipt_answer(5, digests[0]),
        receipt_answer(5, digests[1], "0x" + "ee" * 32),
    ]
    async with EvmChain(node.url, ONE_SECOND) as modern:
        with pytest.raises(ChainReorganised):
            await modern.receipts(5)


async def test_forged_receipts_are_no_answer(node: FaultyNode, chain: EvmChain) -> None:
    node.answers["eth_getTransactionReceipt"] = receipt_answer(5, "0x" + "11" * 32)
    with pytest.raises(ChainBadAnswer):
        await chain.receipt(bytes(32))
    node.answers["eth_getBlockReceipts"] = [receipt_answer(6, "0x" + "11" * 32)]
    with pytest.raises(ChainBadAnswer):
        await chain.receipts(5)
    incomplete = receipt_answer(5, "0x" + "00" * 32)
    del incomplete["status"]
    node.answers["eth_getTransactionReceipt"] = incomplete
    with pytest.raises(ChainBadAnswer):
        await chain.receipt(bytes(32))


async def test_finality_before_there_is_any(node: FaultyNode, chain: EvmChain) -> None:
    def by_tag(tag: str, full: bool) -> Any:
        return None if tag == "finalized" else block_answer(int(tag, 16))

    node.answers["eth_getBlockByNumber"] = by_tag
    assert (await chain.finalized()).number == 0


async def test_finality_by_depth_asks_for_no_tag(node: FaultyNode) -> None:
    def by_tag(tag: str, full: bool) -> Any:
        return block_answer(100 if tag == "latest" else int(tag, 16))

    node.answers["eth_getBlockByNumber"] = by_tag
    async with EvmChain(node.url, replace(ONE_SECOND, finality=Depth(12))) as deep:
        assert (await deep.finalized()).number == 88


async def test_fees_without_a_tip_method_use_the_profile(node: FaultyNode, chain: EvmChain) -> None:
    node.answers["eth_getBlockByNumber"] = block_answer(5)
    quote = await chain.fees()
    assert (quote.base_fee_wei, quote.priority_fee_wei) == (7, 1_000_000_000)


async def test_a_revert_is_permanent_other_errors_are_not(
    node: FaultyNode, chain: EvmChain
) -> None:
    token = chain.profile.tokens[0].address
    node.errors["eth_call"] = {"code": 3, "message": "execution reverted"}
    with pytest.raises(CallReverted):
        await chain.token_balances(token, [address(0)])
    node.errors["eth_call"] = {"code": -32000, "message": "header not found"}
    with pytest.raises(RpcError):
        await chain.token_balances(token, [address(0)])
