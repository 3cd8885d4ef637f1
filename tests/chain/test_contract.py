"""The chain port over real nodes: the same suite for the development chain and for anvil."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from contracts.artifacts import load_artifact
from tests.support.chain import LAUNCHERS, NODES, development_profile, mine
from tests.support.embedded import GWEI, address, signed, token_transfer
from treasurer.chain.connect import open_network
from treasurer.chain.errors import CallReverted, NotAToken
from treasurer.chain.finality import is_final
from treasurer.chain.pinning import verify_network
from treasurer.chain.port import BalanceChange, BroadcastOutcome, OpenChain
from treasurer.chain.tokens import (
    ExpectedItem,
    decode_approvals,
    decode_transfers,
    match_items,
    net_changes,
)
from treasurer.embedded.devchain.seed import deploy_test_usd
from treasurer.kernel.calldata import approve_calldata, transfer_calldata
from treasurer.kernel.transaction import FeeTerms, UnsignedTransaction

TREASURY = 0
HALDEN = address(1)
SPENDER = address(7)
MINTED = 500_000_000_000


@dataclass(frozen=True, slots=True)
class Fixture:
    """A node with the test token, whose treasury holds `MINTED`."""

    chain: OpenChain
    url: str
    token: str

    async def next_nonce(self) -> int:
        return await self.chain.nonce(address(TREASURY))


@pytest_asyncio.fixture(params=(*NODES, "devchain by two addresses"), scope="module")
async def node(request: pytest.FixtureRequest) -> AsyncIterator[Fixture]:
    name, _, twice = request.param.partition(" ")
    with LAUNCHERS[name]() as url:
        token = deploy_test_usd(url, mint_to=address(TREASURY), amount_minor=MINTED)
        urls = [url, url.replace("127.0.0.1", "localhost")] if twice else [url]
        async with open_network(urls, development_profile()) as chain:
            yield Fixture(chain, url, token)


def raw_transfer(token: str, nonce: int, amount_minor: int, **terms: int) -> tuple[bytes, bytes]:
    raw, digest = token_transfer(
        TREASURY, nonce, token=token, recipient=HALDEN, amount_minor=amount_minor, **terms
    )
    return bytes.fromhex(raw[2:]), bytes.fromhex(digest[2:])


async def test_identity_matches_the_profile(node: Fixture) -> None:
    assert await node.chain.chain_id() == 31337
    genesis = await node.chain.block(0)
    assert genesis is not None
    assert await node.chain.genesis_hash() == genesis.hash
    assert len(genesis.hash) == 32
    profile = development_profile()
    assert await verify_network(node.chain, profile) == ()
    pinned = profile.tokens[0]
    assert pinned.code_hash == load_artifact("TestUSD").runtime_code_hash
    assert await node.chain.token_decimals(node.token) == 6


async def test_a_payment_from_broadcast_to_finality(node: Fixture) -> None:
    chain, token = node.chain, node.token
    nonce = await node.next_nonce()
    raw, digest = raw_transfer(token, nonce, 450_000_000)
    before = await chain.token_balances(token, [address(TREASURY), HALDEN])

    assert await chain.broadcast(raw) is BroadcastOutcome.ACCEPTED
    assert await chain.broadcast(raw) is BroadcastOutcome.ALREADY_KNOWN
    assert await chain.receipt(digest) is None
    mine(node.url)
    receipt = await chain.receipt(digest)
    assert receipt is not None
    assert receipt.transaction_hash == digest
    assert receipt.succeeded
    assert await chain.receipts(receipt.block_number) == (receipt,)
    assert 21_000 < receipt.gas_used < 100_000
    block = await chain.block(receipt.block_number)
    assert block is not None
    assert block.hash == receipt.block_hash
    assert receipt.effective_gas_price_wei == block.base_fee_wei + GWEI

    (transfer,) = decode_transfers(receipt, token)
    assert (transfer.sender, transfer.recipient) == (address(TREASURY), HALDEN)
    assert transfer.amount_minor == 450_000_000
    match = match_items(
        receipt, token=token, sender=address(TREASURY), items=[ExpectedItem(HALDEN, 450_000_000)]
    )
    assert match.log_indexes == (transfer.log_index,)
    at, parent = receipt.block_number, receipt.block_number - 1
    after = await chain.token_balances(token, [address(TREASURY), HALDEN], at)
    assert await chain.token_balances(token, [address(TREASURY), HALDEN], parent) == before
    for holder, old, new in zip([address(TREASURY), HALDEN], before, after, strict=True):
        assert net_changes([receipt], token=token)[holder] == new - old
    assert after[1] - before[1] == 450_000_000
    evidence = await chain.evidence(at, {token: [address(TREASURY), HALDEN, HALDEN]})
    assert evidence is not None
    assert (evidence.block, evidence.receipts) == (block, (receipt,))
    assert evidence.balances == {
        (token, address(TREASURY)): BalanceChange(before[0], after[0]),
        (token, HALDEN): BalanceChange(before[1], after[1]),
    }

    assert not is_final(block, await chain.block(block.number), await chain.finalized())
    mine(node.url, 8)
    finalized = await chain.finalized()
    assert is_final(block, await chain.block(block.number), finalized)
    assert finalized.number < (await chain.head()).number
    assert await chain.broadcast(raw) in {
        BroadcastOutcome.NONCE_TOO_LOW,
        BroadcastOutcome.ALREADY_KNOWN,
    }


async def test_an_allowance_is_read_at_a_block(node: Fixture) -> None:
    owners = [address(TREASURY), HALDEN]
    assert await node.chain.token_allowances(node.token, owners, SPENDER) == [0, 0]
    allow = approve_calldata(SPENDER, 700)
    raw, hash_ = signed(TREASURY, await node.next_nonce(), to=node.token, data=allow)
    await node.chain.broadcast(bytes.fromhex(raw[2:]))
    mine(node.url)
    receipt = await node.chain.receipt(bytes.fromhex(hash_[2:]))
    assert receipt is not None
    assert decode_approvals(receipt, node.token, owner=owners[0], spender=SPENDER) == (700,)
    block = await node.chain.block(receipt.block_number)
    assert block is not None
    for at in (block.hash, block.number, "latest"):
        assert await node.chain.token_allowances(node.token, owners, SPENDER, at) == [700, 0]  # type: ignore[arg-type]
    assert await node.chain.token_allowances(node.token, owners, SPENDER, block.parent_hash) == [
        0,
        0,
    ]
    with pytest.raises(NotAToken):
        await node.chain.token_allowances(HALDEN, owners, SPENDER)


async def test_a_batch_of_sixteen_in_one_block(node: Fixture) -> None:
    nonce = await node.next_nonce()
    signed_ones = [raw_transfer(node.token, nonce + i, 1_000 + i) for i in range(16)]
    outcomes = await node.chain.broadcast_many([raw for raw, _ in signed_ones])
    assert outcomes == [BroadcastOutcome.ACCEPTED] * 16
    mine(node.url)
    head = await node.chain.head()
    receipts = await node.chain.receipts(head.number)
    assert receipts is not None
    assert [receipt.transaction_hash for receipt in receipts] == [
        digest for _, digest in signed_ones
    ]
    assert {receipt.block_hash for receipt in receipts} == {head.hash}
    amounts = [decode_transfers(receipt, node.token)[0].amount_minor for receipt in receipts]
    assert amounts == [1_000 + i for i in range(16)]
    assert await node.next_nonce() == nonce + 16
    assert await node.chain.nonce(address(TREASURY), head.number - 1) == nonce
    found = await node.chain.receipts_of([signed_ones[3][1], bytes(32), signed_ones[0][1]])
    assert found == [receipts[3], None, receipts[0]]


async def test_what_a_node_refuses_has_a_name(node: Fixture) -> None:
    nonce = await node.next_nonce()
    raw, _ = raw_transfer(node.token, nonce, 5)
    cheaper, _ = raw_transfer(node.token, nonce, 5, max_fee_wei=9 * GWEI)
    assert await node.chain.broadcast(raw) is BroadcastOutcome.ACCEPTED
    assert await node.chain.broadcast(cheaper) is BroadcastOutcome.UNDERPRICED
    mine(node.url)
    old, _ = raw_transfer(node.token, nonce, 6)
    foreign, _ = raw_transfer(node.token, nonce + 1, 5, chain_id=1)
    poor, _ = signed(TREASURY, nonce + 1, to=HALDEN, value_wei=10**30)
    no_gas, _ = raw_transfer(node.token, nonce + 1, 5, gas=20_000)
    for hostile, expected in (
        (old, BroadcastOutcome.NONCE_TOO_LOW),
        (foreign, BroadcastOutcome.REJECTED),
        (bytes.fromhex(poor[2:]), BroadcastOutcome.REJECTED),
        (no_gas, BroadcastOutcome.REJECTED),
    ):
        assert await node.chain.broadcast(hostile) is expected
    assert await node.next_nonce() == nonce + 1


async def test_a_revert_is_mined_and_proves_nothing(node: Fixture) -> None:
    nonce = await node.next_nonce()
    raw, digest = raw_transfer(node.token, nonce, MINTED * 2)
    assert await node.chain.broadcast(raw) is BroadcastOutcome.ACCEPTED
    mine(node.url)
    receipt = await node.chain.receipt(digest)
    assert receipt is not None
    assert not receipt.succeeded
    assert receipt.logs == ()
    matched = match_items(
        receipt, token=node.token, sender=address(TREASURY), items=[ExpectedItem(HALDEN, 1)]
    )
    assert matched.contradiction == "the transaction reverted"


async def test_gas_and_fees(node: Fixture) -> None:
    def call(amount_minor: int) -> UnsignedTransaction:
        return UnsignedTransaction(
            chain_id=31337,
            nonce=0,
            sender=address(TREASURY),
            to=node.token,
            value_wei=0,
            data=transfer_calldata(HALDEN, amount_minor),
            fees=FeeTerms(0, 0, 0),
        )

    assert 21_000 < await node.chain.estimate_gas(call(1)) < 100_000
    with pytest.raises(CallReverted):
        await node.chain.estimate_gas(call(MINTED * 2))
    quote = await node.chain.fees()
    assert quote.base_fee_wei == (await node.chain.head()).base_fee_wei
    assert quote.priority_fee_wei > 0


async def test_a_thousand_balances(node: Fixture) -> None:
    owners = [address(TREASURY), *(f"0x{number:040x}" for number in range(1, 1_000))]
    balances = await node.chain.token_balances(node.token, owners)
    (treasury,) = await node.chain.token_balances(node.token, [address(TREASURY)])
    assert balances == [treasury, *[0] * 999]
    native = await node.chain.native_balances(owners)
    assert len(native) == 1_000
    assert native[0] > 10**18
    assert native[999] == 0


async def test_an_address_without_code_is_no_token(node: Fixture) -> None:
    assert await node.chain.code(HALDEN) == b""
    with pytest.raises(NotAToken):
        await node.chain.token_balances(HALDEN, [address(TREASURY)])
    with pytest.raises(NotAToken):
        await node.chain.token_decimals(HALDEN)


async def test_above_the_head_there_is_nothing(node: Fixture) -> None:
    beyond = (await node.chain.head()).number + 1_000
    assert await node.chain.block(beyond) is None
    assert await node.chain.receipts(beyond) is None
    assert await node.chain.evidence(beyond, {}) is None
