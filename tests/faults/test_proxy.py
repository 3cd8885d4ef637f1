"""What each fault of the proxy becomes in the chain client, and payments that go through all of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from uuid_utils.compat import uuid7

from saga.engine import Pump
from tests.faults.proxy import FaultyProxy, ProxyPlan, faulty_proxy
from tests.faults.world import ETH, USDC
from tests.support.chain import development_profile
from tests.support.embedded import GWEI, MANUAL, JsonRpc, address, devchain, signed
from tests.support.treasury import Treasury, open_treasury
from treasurer.audit.reconciliation.scene import Network
from treasurer.audit.reconciliation.service import Reconciliation
from treasurer.bootstrap import utc_now
from treasurer.chain.errors import (
    ChainBadAnswer,
    ChainHttpError,
    ChainRateLimited,
    ChainUnreachable,
)
from treasurer.chain.evm import EvmChain
from treasurer.chain.pinning import require_network
from treasurer.chain.port import BroadcastOutcome
from treasurer.db.engine import Database
from treasurer.kernel.errors import InvariantViolated
from treasurer.payments.model import Payment, PaymentState

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 20))]
_NONCES = iter(range(10_000))


@pytest.fixture(scope="module")
def still_node() -> Iterator[str]:
    with devchain(block_time_s=MANUAL) as server, JsonRpc(server.url) as rpc:
        for _ in range(6):
            rpc("evm_mine")
        yield server.url


@pytest.fixture(scope="module")
def node_url() -> Iterator[str]:
    with devchain(block_time_s=0.1) as server:
        yield server.url


@asynccontextmanager
async def through(url: str, **faults: float) -> AsyncIterator[tuple[EvmChain, FaultyProxy]]:
    """A chain client behind a proxy with these faults."""
    async with (
        faulty_proxy([url], ProxyPlan(Random(1), **faults)) as proxy,
        EvmChain(proxy.url, development_profile()) as chain,
    ):
        yield chain, proxy


def _transaction(nonce: int | None = None, *, max_fee_wei: int = 10 * GWEI) -> tuple[bytes, str]:
    raw, hash_ = signed(
        2, next(_NONCES) if nonce is None else nonce, to=address(3), max_fee_wei=max_fee_wei
    )
    return bytes.fromhex(raw.removeprefix("0x")), hash_


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("limits", ChainRateLimited),
        ("breaks", ChainHttpError),
        ("html", ChainBadAnswer),
        ("drops_request", ChainUnreachable),
        ("drops_reply", ChainUnreachable),
    ],
)
async def test_a_read_fails_as_what_it_is(
    still_node: str, fault: str, error: type[Exception]
) -> None:
    async with through(still_node, **{fault: 1.0}) as (chain, _):
        with pytest.raises(error):
            await chain.head()


@pytest.mark.parametrize(("fault", "arrives"), [("drops_reply", True), ("drops_request", False)])
async def test_a_lost_answer_is_unknown_whether_it_arrived_or_not(
    still_node: str, fault: str, arrives: bool
) -> None:
    raw, hash_ = _transaction()
    async with through(still_node, **{fault: 1.0}) as (chain, proxy):
        assert await chain.broadcast(raw) is BroadcastOutcome.UNKNOWN
        proxy.plan.active = False
        with JsonRpc(still_node) as rpc:
            assert (rpc("eth_getTransactionByHash", hash_) is not None) is arrives
        # The same bytes again are harmless, and afterwards they are there in any case.
        again = await chain.broadcast(raw)
    assert again is (BroadcastOutcome.ALREADY_KNOWN if arrives else BroadcastOutcome.ACCEPTED)


async def test_an_older_head_is_shown(still_node: str) -> None:
    async with through(still_node, stale_head=1.0) as (chain, proxy):
        old = await chain.head()
        proxy.plan.active = False
        assert (await chain.head()).number - old.number == proxy.plan.blocks_behind


async def test_receipts_are_hidden_and_forged(still_node: str) -> None:
    raw, hash_ = _transaction()
    transaction_hash = bytes.fromhex(hash_.removeprefix("0x"))
    async with through(still_node, forges_receipt=1.0) as (chain, proxy):
        forged = await chain.receipt(transaction_hash)
        assert forged is not None
        assert forged.block_hash == bytes.fromhex("f0" * 32)
        assert await chain.broadcast(raw) is BroadcastOutcome.ACCEPTED
        with JsonRpc(still_node) as rpc:
            rpc("evm_mine")
        proxy.plan = ProxyPlan(Random(1), hides_receipt=1.0)
        assert await chain.receipt(transaction_hash) is None
        proxy.plan.active = False
        assert await chain.receipt(transaction_hash) is not None


async def test_another_chain_is_refused(still_node: str) -> None:
    async with through(still_node, another_chain=1.0) as (chain, _):
        with pytest.raises(InvariantViolated):
            await require_network(chain, chain.profile)


async def test_a_replacement_below_ten_percent_is_refused(still_node: str) -> None:
    nonce = next(_NONCES)
    async with through(still_node) as (chain, _):
        assert await chain.broadcast(_transaction(nonce)[0]) is BroadcastOutcome.ACCEPTED
        cheap, _ = _transaction(nonce, max_fee_wei=10 * GWEI + 1)
        assert await chain.broadcast(cheap) is BroadcastOutcome.UNDERPRICED


async def test_backends_are_changed(still_node: str, node_url: str) -> None:
    async with (
        faulty_proxy([still_node, node_url], ProxyPlan(Random(1), flips=1.0)) as proxy,
        EvmChain(proxy.url, development_profile()) as chain,
    ):
        seen = [(await chain.genesis_hash()) for _ in range(4)]
    assert seen[0] == seen[2] != seen[1] == seen[3]


@pytest.mark.parametrize("seed", SEEDS)
async def test_payments_go_through_all_of_it(
    laboratory: Database, node_url: str, tmp_path: Path, seed: int
) -> None:
    async with (
        open_treasury(laboratory, node_url, tmp_path / "signer") as treasury,
        faulty_proxy([node_url], ProxyPlan.everything(seed)) as proxy,
        EvmChain(proxy.url, development_profile()) as chain,
    ):
        payments = [
            await treasury.propose(f"PX-{seed}-{index}", 1_000_000 * (index + 1), f"V-00{index}")
            for index in (1, 2, 3)
        ]
        pumps = [_pump(replace(treasury, chain=chain)) for _ in range(2)]
        await _until_settled(treasury, payments, pumps, lambda: None)
        assert proxy.plan.counts
        report = await _auditor(treasury).examine(treasury.organization.id)
    assert [result for result in report.results if not result.holds] == []
    # Whatever was sent again was the same bytes.
    assert len(set(proxy.sent)) == len(payments)


def _pump(treasury: Treasury) -> Pump:
    context = treasury.context()
    pace = replace(context.pace, rebroadcast=timedelta(milliseconds=200))
    return Pump(replace(context, pace=pace), treasury.signer)


async def _until_settled(
    treasury: Treasury, payments: list[Payment], pumps: list[Pump], between: Callable[[], None]
) -> None:
    deadline = time.monotonic() + 60
    while True:
        await asyncio.gather(*(pump.pass_once() for pump in pumps), return_exceptions=True)
        between()
        found = [await treasury.payment(payment) for payment in payments]
        if all(payment.state is PaymentState.SETTLED for payment in found):
            return
        assert time.monotonic() < deadline, [(p.state, p.explanation) for p in found]
        await asyncio.sleep(0.02)


def _auditor(treasury: Treasury) -> Reconciliation:
    (token,) = treasury.rail.tokens
    return Reconciliation(
        database=treasury.database,
        chain=treasury.chain,
        network=Network(treasury.rail.chain_id, ETH, {token.address: USDC}),
        audit=treasury.audit,
        clock=utc_now,
        new_id=uuid7,
    )
