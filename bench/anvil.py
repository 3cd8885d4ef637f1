"""Owns the comparison on anvil: our pump against web3 step by step and against the node itself; batches
against singles; one payment's latency. In one run, rounds interleaved.

Must never compare different work: the same token, as many payments, payees that have some of it. anvil
mines as soon as it has something.
"""

import statistics
import sys
import time
from asyncio import to_thread
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from secrets import token_bytes

from uuid_utils.compat import uuid7

from bench.disks import Servers
from bench.node import Node, StepByStep
from bench.on_chain import GAS_LIMIT, Ground, Treasuries, open_treasuries
from bench.treasuries import AMOUNT_MINOR, PAYEES, Organization, Outline
from saga.transfer import MAX_IN_FLIGHT
from tests.support.anvil import anvil
from tests.support.embedded import JsonRpc
from treasurer.kernel.calldata import disperse_calldata, transfer_calldata
from treasurer.kernel.ids import PaymentId
from treasurer.kernel.order import OrderItem

SINGLE_ORGANIZATIONS = 4
WALLETS = 8
WAVE = SINGLE_ORGANIZATIONS * WALLETS * MAX_IN_FLIGHT
BATCH = 100
UNIT_MINOR = 10**6


@dataclass(frozen=True, slots=True)
class AnvilSize:
    """How much a round measures: waves of singles, batches, payments by web3, latencies."""

    rounds: int
    waves: int
    batches: int
    steps: int
    latencies: int


@dataclass(slots=True)
class Rounds:
    """Payments a second of each side, a figure a round, and latencies in ms."""

    singles: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)
    batches: list[float] = field(default_factory=list)
    taken_in_batches: list[float] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    less_mining_ms: list[float] = field(default_factory=list)


async def measure(servers: Servers, size: AnvilSize) -> dict[str, float]:
    """Figures by name; those with a target name it."""
    with anvil() as url, JsonRpc(url) as rpc:
        ground, node = Ground(rpc), Node(url)
        payees = [account.address for account in ground.accounts(BATCH, minted_minor=UNIT_MINOR)]
        wallets = [ground.accounts(WALLETS) for _ in range(SINGLE_ORGANIZATIONS)]
        batching = [ground.may_disperse(wallet) for wallet in ground.accounts(1)]
        outlines = [
            Outline(number, [w.address for w in own], payees[:PAYEES], ground.token)
            for number, own in enumerate(wallets)
        ]
        outlines.append(
            Outline(99, [batching[0].address], payees, ground.token, BATCH, batching[0].nonce)
        )
        all_wallets = [wallet for own in wallets for wallet in own] + batching
        async with open_treasuries(servers, node, ground, outlines, all_wallets) as (ours, own):
            others = _Others(url, node, ground, payees)
            sides = _Ours(ours, node, own[:-1], own[-1]), others
            await _warm_up(*sides)
            servers.analyze("anvil")
            figures = await _rounds(*sides, size)
        await node.close()
    return figures


async def _warm_up(ours: "_Ours", others: "_Others") -> None:
    """Compiles, prepares and connects."""
    await ours.singles(1)
    await ours.batches(MAX_IN_FLIGHT)
    await others.take_singles(WAVE)


async def _rounds(ours: "_Ours", others: "_Others", size: AnvilSize) -> dict[str, float]:
    rounds = Rounds()
    for number in range(1, size.rounds + 1):
        rounds.steps.append(await others.step_by_step(size.steps))
        rounds.taken.append(await others.take_singles(size.waves * WAVE))
        rounds.singles.append(await ours.singles(size.waves))
        rounds.taken_in_batches.append(await others.take_batches(size.batches))
        rounds.batches.append(await ours.batches(size.batches))
        for _ in range(size.latencies):
            whole_s, mining_s = await ours.latency()
            rounds.latency_ms.append(whole_s * 1000)
            rounds.less_mining_ms.append((whole_s - mining_s) * 1000)
        print(
            f"  round {number}: {rounds.steps[-1]:,.0f} by web3/s, {rounds.taken[-1]:,.0f} taken/s,"
            f" {rounds.singles[-1]:,.0f} singles/s, {rounds.batches[-1]:,.0f} in batches/s,"
            f" {statistics.median(rounds.less_mining_ms):.1f} ms",
            file=sys.stderr,
            flush=True,
        )
    return _figures(rounds, await ours.gas_of_single(), await ours.gas_in_batch())


def _figures(rounds: Rounds, single: float, in_batch: float) -> dict[str, float]:
    median = statistics.median
    return {
        "singles, reserved → settled, payments/s": median(rounds.singles),
        "web3 step by step, payments/s": median(rounds.steps),
        "node alone, raw singles/s": median(rounds.taken),
        f"batches of {BATCH}, reserved → settled, payments/s": median(rounds.batches),
        f"node alone, raw batches of {BATCH}, payments/s": median(rounds.taken_in_batches),
        "gas a payment, single": single,
        f"gas a payment, batch of {BATCH}": in_batch,
        "latency p50 ms, mining included": median(rounds.latency_ms),
        "singles over web3 step by step (target ≥ 25)": _ratio(rounds.singles, rounds.steps),
        "singles over node alone (target ≥ 0.8)": _ratio(rounds.singles, rounds.taken),
        "batches over singles (target ≥ 10)": _ratio(rounds.batches, rounds.singles),
        "batches over singles, node alone": _ratio(rounds.taken_in_batches, rounds.taken),
        "gas in batches over singles (target ≤ 0.35)": in_batch / single,
        "latency less mining, p50 ms (target ≤ 5)": median(rounds.less_mining_ms),
    }


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


@dataclass(frozen=True, slots=True)
class _Ours:
    """The pump's rounds; every figure is of payments reserved before its clock starts."""

    treasuries: Treasuries
    node: Node
    single: Sequence[Organization]
    batching: Organization

    async def singles(self, waves: int) -> float:
        elapsed = 0.0
        for _ in range(waves):
            for organization in self.single:
                await self.treasuries.reserve(organization, WALLETS * MAX_IN_FLIGHT)
            elapsed += await self.treasuries.settle(self.single)
        return waves * WAVE / elapsed

    async def batches(self, count: int) -> float:
        await self.treasuries.reserve(self.batching, count * BATCH)
        return count * BATCH / await self.treasuries.settle([self.batching])

    async def latency(self) -> tuple[float, float]:
        """Seconds of one payment, and of the same bytes sent again and waited for on the chain as it was.

        Both mine three blocks right after sending; what remains is our own work.
        """
        organization = self.single[0]
        await self.treasuries.reserve(organization, 1)
        before = await self.node.call("evm_snapshot")
        whole_s = await self.treasuries.settle_at_once()
        ((hash_, raw),) = await self.treasuries.sent(organization, 1)
        await self.node.call("evm_revert", before)
        chain = self.treasuries.context.chain
        started = time.perf_counter()
        await chain.broadcast(raw)
        await self.node.mine(3)
        while await chain.receipt(hash_) is None:
            continue
        return whole_s, time.perf_counter() - started

    async def gas_of_single(self) -> float:
        return await self.treasuries.gas(self.single[0], MAX_IN_FLIGHT)

    async def gas_in_batch(self) -> float:
        return await self.treasuries.gas(self.batching, 1) / BATCH


class _Others:
    """web3 and the node with accounts of their own, on the same token and payees."""

    def __init__(self, url: str, node: Node, ground: Ground, payees: Sequence[str]) -> None:
        self._node = node
        self._ground = ground
        self._payees = payees
        self._senders = ground.accounts(SINGLE_ORGANIZATIONS * WALLETS)
        self._batching = ground.may_disperse(ground.accounts(1)[0])
        self._web3 = StepByStep(url, ground.token, ground.accounts(1)[0])

    async def step_by_step(self, payments: int) -> float:
        recipients = list(islice(cycle(self._payees[:PAYEES]), payments))
        return await to_thread(self._web3.pay, recipients, AMOUNT_MINOR)

    async def take_singles(self, payments: int) -> float:
        """As many from each sender, one sender after the other, so that none has a gap in a batch."""
        data = [transfer_calldata(payee, AMOUNT_MINOR) for payee in self._payees[:PAYEES]]
        raws = [
            sender.signed(self._ground.token, data[number % PAYEES], GAS_LIMIT)
            for sender in self._senders
            for number in range(payments // len(self._senders))
        ]
        return payments / await self._node.take(raws)

    async def take_batches(self, count: int) -> float:
        raws = [
            self._batching.signed(self._ground.disperse, self._disperse(), BATCH * GAS_LIMIT)
            for _ in range(count)
        ]
        return count * BATCH / await self._node.take(raws, connections=1)

    def _disperse(self) -> bytes:
        items = [OrderItem(PaymentId(uuid7()), payee, AMOUNT_MINOR) for payee in self._payees]
        return disperse_calldata(self._ground.token, token_bytes(32), items)
