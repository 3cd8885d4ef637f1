"""Several providers of one network: failover, two voices for what is irreversible, liars dropped."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from tests.support.chain import FaultyNode, block_answer, development_profile, receipt_answer
from tests.support.embedded import address, signed
from treasurer.chain.errors import (
    ChainHttpError,
    ChainReorganised,
    NetworkMismatch,
    NotAToken,
    ProvidersDisagree,
    ProvidersTooFew,
)
from treasurer.chain.evm import EvmChain
from treasurer.chain.port import BroadcastOutcome
from treasurer.chain.provider import Identity
from treasurer.chain.providers import SeveralProviders
from treasurer.chain.voices import Voices

PROFILE = replace(development_profile(), rpc_timeout_s=1)
TOKEN = PROFILE.tokens[0].address
RAW, HASH = signed(0, 0, to=address(1))
BYTES = bytes.fromhex(RAW[2:])
HEAD, FINAL = 110, 100
PAID = 90
"""The block of the one transaction that the nodes know."""
FORK = "0x" + "f0" * 32


class Hands:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.ns = 10**9

    def __call__(self) -> int:
        return self.ns

    def pass_by(self, seconds: int) -> None:
        self.ns += seconds * 10**9


class Fleet:
    """Three nodes that tell the same story, of which tests spoil some."""

    def __init__(self, nodes: list[FaultyNode]) -> None:
        self.nodes = nodes
        self.hands = Hands()
        for node in nodes:
            node.answers = {
                "eth_chainId": "0x7a69",
                "eth_getBlockByNumber": told(HEAD, FINAL),
                "eth_getBlockReceipts": lambda tag: (
                    [receipt_answer(PAID, HASH)] if tag == hex(PAID) else []
                ),
                "eth_getTransactionReceipt": lambda digest: receipt_answer(PAID, digest),
                "eth_call": lambda call, at: "0x" + f"{1_000:064x}",
                "eth_getTransactionCount": lambda account, tag: "0x7",
                "eth_sendRawTransaction": HASH,
            }

    def chain(self, count: int) -> SeveralProviders:
        names = ("anna", "bert", "carl")[:count]
        chains = {
            name: EvmChain(node.url, PROFILE) for name, node in zip(names, self.nodes, strict=False)
        }
        expected = Identity(PROFILE.chain_id, PROFILE.genesis_hash)
        return SeveralProviders(Voices(chains, expected, self.hands), PROFILE)

    def asked(self, place: int, method: str) -> int:
        entries = [
            entry
            for request in self.nodes[place].requests
            for entry in (request if isinstance(request, list) else [request])
        ]
        return sum(entry["method"] == method for entry in entries)


def told(head: int, final: int, forked_from: int | None = None) -> Any:
    """A chain of blocks as a node tells it; from `forked_from` on its hashes are its own."""

    def by_tag(tag: str, full: bool) -> Any:
        number = {"latest": head, "finalized": final}.get(tag)
        number = int(tag, 16) if number is None else number
        if number > head:
            return None
        own = forked_from is not None and number >= forked_from
        hashes = {"transactions": [HASH] if number == PAID else []}
        return block_answer(number, **hashes, **({"hash": FORK} if own else {}))

    return by_tag


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet([stack.enter_context(FaultyNode()) for _ in range(3)])


@pytest_asyncio.fixture
async def two(fleet: Fleet) -> AsyncIterator[SeveralProviders]:
    async with fleet.chain(2) as chain:
        yield chain


@pytest_asyncio.fixture
async def three(fleet: Fleet) -> AsyncIterator[SeveralProviders]:
    async with fleet.chain(3) as chain:
        yield chain


async def test_a_read_fails_over_to_the_next(fleet: Fleet, two: SeveralProviders) -> None:
    assert (await two.head()).number == HEAD
    fleet.nodes[0].status = 500
    assert (await two.head()).number == HEAD
    fleet.nodes[1].silent = True
    with pytest.raises(ChainHttpError):
        await two.head()


async def test_a_failing_provider_is_asked_last_until_it_answers(
    fleet: Fleet, two: SeveralProviders
) -> None:
    fleet.nodes[0].errors["eth_maxPriorityFeePerGas"] = {"code": -32000, "message": "no backend"}
    fleet.nodes[1].answers["eth_maxPriorityFeePerGas"] = "0x5"
    for _ in range(3):
        assert (await two.fees()).priority_fee_wei == 5
    assert fleet.asked(0, "eth_maxPriorityFeePerGas") == 1
    assert fleet.asked(1, "eth_maxPriorityFeePerGas") == 3


async def test_a_provider_that_limits_our_rate_is_left_alone(
    fleet: Fleet, two: SeveralProviders
) -> None:
    assert (await two.head()).number == HEAD
    fleet.nodes[0].status, fleet.nodes[0].headers = 429, {"Retry-After": "30"}
    sent = len(fleet.nodes[0].requests)
    for _ in range(4):
        assert (await two.head()).number == HEAD
    assert len(fleet.nodes[0].requests) == sent + 1


async def test_both_must_have_the_final_block(fleet: Fleet, two: SeveralProviders) -> None:
    assert (await two.finalized()).number == FINAL
    fleet.nodes[1].answers["eth_getBlockByNumber"] = told(97, 95)
    assert (await two.finalized()).number == 95, "the lower one, which both hold final"


async def test_two_final_chains_stop_everything(fleet: Fleet, two: SeveralProviders) -> None:
    fleet.nodes[1].answers["eth_getBlockByNumber"] = told(HEAD, FINAL - 3, forked_from=50)
    fleet.nodes[1].answers["eth_getBlockReceipts"] = [receipt_answer(PAID, HASH, FORK)]
    with pytest.raises(ProvidersDisagree, match="anna, bert contradict"):
        await two.finalized()
    with pytest.raises(ProvidersDisagree):
        await two.evidence(PAID, {})


async def test_a_third_voice_decides_and_the_liar_is_silenced(
    fleet: Fleet, three: SeveralProviders
) -> None:
    # Whoever proves itself last is asked last, and the liar shall be among the first.
    assert len([provider async for provider in three.voices.in_turn(3)]) == 3
    fleet.nodes[0].answers["eth_getBlockByNumber"] = told(HEAD, FINAL, forked_from=50)
    final = await three.finalized()
    assert (final.number, final.hash) == (FINAL, FINAL.to_bytes(32))
    asked = len(fleet.nodes[0].requests)
    evidence = await three.evidence(PAID, {})
    assert evidence is not None
    assert evidence.block.hash == PAID.to_bytes(32)
    assert len(fleet.nodes[0].requests) == asked, "it was outvoted a moment ago"
    fleet.nodes[0].answers["eth_getBlockByNumber"] = told(HEAD, FINAL)
    fleet.hands.pass_by(61)
    assert (await three.finalized()).number == FINAL
    assert len(fleet.nodes[0].requests) > asked


@pytest.mark.parametrize("count", [2, 3])
async def test_a_hidden_receipt_never_passes(fleet: Fleet, count: int) -> None:
    fleet.nodes[0].answers["eth_getBlockReceipts"] = []
    async with fleet.chain(count) as chain:
        if count == 2:
            with pytest.raises(ProvidersDisagree):
                await chain.receipts(PAID)
            return
        receipts = await chain.receipts(PAID)
        assert receipts is not None
        assert [receipt.transaction_hash.hex() for receipt in receipts] == [HASH[2:]]


async def test_forged_balances_are_a_contradiction(fleet: Fleet, two: SeveralProviders) -> None:
    holders = {TOKEN: [address(0)]}
    evidence = await two.evidence(PAID, holders)
    assert evidence is not None
    assert evidence.balances[TOKEN, address(0)].after == 1_000
    fleet.nodes[1].answers["eth_call"] = "0x" + f"{999:064x}"
    with pytest.raises(ProvidersDisagree, match=f"block {PAID}"):
        await two.evidence(PAID, holders)
    with pytest.raises(ProvidersDisagree):
        await two.token_balances(TOKEN, [address(0)], PAID)
    assert await two.token_balances(TOKEN, [address(0)]) == [1_000], "the latest is a hint"


async def test_evidence_comes_from_one_block_of_one_provider(
    fleet: Fleet, two: SeveralProviders
) -> None:
    await two.evidence(PAID, {TOKEN: [address(0)]})
    for node in fleet.nodes[:2]:
        calls = [
            entry["params"][1]
            for request in node.requests
            for entry in (request if isinstance(request, list) else [request])
            if entry["method"] == "eth_call"
        ]
        assert calls == [
            {"blockHash": f"0x{number:064x}", "requireCanonical": True}
            for number in (PAID - 1, PAID)
        ]


async def test_a_young_block_may_differ_for_a_moment(fleet: Fleet, two: SeveralProviders) -> None:
    fleet.nodes[1].answers["eth_getBlockByNumber"] = told(HEAD, FINAL, forked_from=FINAL + 1)
    with pytest.raises(ChainReorganised):
        await two.evidence(FINAL + 1, {})


async def test_a_provider_that_lags_is_waited_for(fleet: Fleet, two: SeveralProviders) -> None:
    fleet.nodes[1].answers["eth_getBlockByNumber"] = told(PAID - 5, PAID - 8)
    with pytest.raises(ProvidersTooFew):
        await two.evidence(PAID, {})
    fleet.nodes[1].status = 503
    with pytest.raises(ProvidersTooFew):
        await two.finalized()
    with pytest.raises(ProvidersTooFew):
        await two.nonce(address(0), PAID)
    assert await two.nonce(address(0)) == 7


async def test_a_nonce_at_a_final_block_needs_two(fleet: Fleet, two: SeveralProviders) -> None:
    assert await two.nonce(address(0), FINAL) == 7
    fleet.nodes[0].answers["eth_getTransactionCount"] = "0x9"
    with pytest.raises(ProvidersDisagree, match="nonce"):
        await two.nonce(address(0), FINAL)


async def test_both_may_refuse_alike(fleet: Fleet, two: SeveralProviders) -> None:
    for node in fleet.nodes[:2]:
        node.answers["eth_call"] = "0x"
    with pytest.raises(NotAToken):
        await two.token_balances(TOKEN, [address(0)], FINAL)


async def test_another_network_is_dropped_until_it_proves_itself(
    fleet: Fleet, two: SeveralProviders
) -> None:
    fleet.nodes[0].answers["eth_chainId"] = "0x1"
    assert await two.chain_id() == 31337
    with pytest.raises(ProvidersTooFew):
        await two.finalized()
    assert fleet.asked(0, "eth_getTransactionCount") == 0
    assert await two.broadcast(BYTES) is BroadcastOutcome.ACCEPTED
    assert fleet.asked(0, "eth_sendRawTransaction") == 0
    fleet.nodes[0].answers["eth_chainId"] = "0x7a69"
    fleet.hands.pass_by(11)
    assert (await two.finalized()).number == FINAL


async def test_a_provider_that_turns_into_another_network_is_found_out(
    fleet: Fleet, two: SeveralProviders
) -> None:
    assert (await two.finalized()).number == FINAL
    fleet.nodes[1].answers["eth_chainId"] = "0x1"
    fleet.hands.pass_by(11)
    with pytest.raises(ProvidersTooFew):
        await two.finalized()


async def test_another_genesis_is_another_network(fleet: Fleet, two: SeveralProviders) -> None:
    assert await two.chain_id() == 31337
    fleet.nodes[0].answers["eth_getBlockByNumber"] = told(HEAD, FINAL, forked_from=0)
    fleet.nodes[1].answers["eth_getBlockByNumber"] = told(HEAD, FINAL, forked_from=0)
    fleet.hands.pass_by(11)
    with pytest.raises(NetworkMismatch, match="CHAIN_GENESIS_MISMATCH"):
        await two.head()


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (None, "nonce too low", BroadcastOutcome.ACCEPTED),
        ("already known", None, BroadcastOutcome.ACCEPTED),
        ("already known", "insufficient funds", BroadcastOutcome.ALREADY_KNOWN),
        ("nonce too low", "replacement underpriced", BroadcastOutcome.NONCE_TOO_LOW),
        ("insufficient funds", "no backend", BroadcastOutcome.UNKNOWN),
        ("replacement underpriced", "no backend", BroadcastOutcome.UNKNOWN),
        ("replacement underpriced", "insufficient funds", BroadcastOutcome.UNDERPRICED),
        ("insufficient funds", "insufficient funds", BroadcastOutcome.REJECTED),
        ("no backend", "no backend", BroadcastOutcome.UNKNOWN),
    ],
)
async def test_bytes_go_to_all_and_the_safest_answer_counts(
    fleet: Fleet,
    two: SeveralProviders,
    first: str | None,
    second: str | None,
    together: BroadcastOutcome,
) -> None:
    for node, message in zip(fleet.nodes, (first, second), strict=False):
        if message:
            node.errors["eth_sendRawTransaction"] = {"code": -32000, "message": message}
    assert await two.broadcast(BYTES) is together
    assert [fleet.asked(place, "eth_sendRawTransaction") for place in (0, 1)] == [1, 1]


async def test_a_receipt_that_one_hides_the_other_has(fleet: Fleet, two: SeveralProviders) -> None:
    fleet.nodes[0].answers["eth_getTransactionReceipt"] = None
    receipt = await two.receipt(bytes.fromhex(HASH[2:]))
    assert receipt is not None
    assert receipt.block_number == PAID
    fleet.nodes[1].answers["eth_getTransactionReceipt"] = None
    assert await two.receipt(bytes.fromhex(HASH[2:])) is None


def test_one_provider_is_no_quorum() -> None:
    with pytest.raises(ValueError):
        Voices({}, Identity(31337, None))


async def test_that_a_transaction_is_nowhere_is_said_by_two(
    fleet: Fleet, two: SeveralProviders
) -> None:
    """For whatever may wait one answer does; what people void on an absence needs both."""
    digest = bytes.fromhex(HASH[2:])
    fleet.nodes[0].answers["eth_getTransactionReceipt"] = lambda _: None
    assert await two.receipts_of([digest]) != [None]
    with pytest.raises(ProvidersDisagree):
        await two.denied([digest])
    fleet.nodes[1].answers["eth_getTransactionReceipt"] = "0x"
    assert await two.receipts_of([digest]) == [None]
    with pytest.raises(ProvidersTooFew):
        await two.denied([digest])
    fleet.nodes[1].answers["eth_getTransactionReceipt"] = lambda _: None
    fleet.hands.pass_by(20)
    assert await two.denied([digest])
