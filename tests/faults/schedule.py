"""Runs one seeded schedule: four workers, three wallets, a node that misbehaves, deaths and hangs.

    from tests.faults.schedule import run_schedule
    outcome = await run_schedule(database, seed)
    assert outcome.faults == []

A schedule is: some rounds under faults, in each of which some workers make a pass beside each other,
the node mines or reorganises, time passes, dead workers are replaced; then the faults stop, fresh
workers go on until everything ended, and the auditor looks. All choices come from the seed; what the
event loop and the database decide among workers of one round does not.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import cast

from saga.context import SagaContext
from saga.engine import Pump
from saga.steps.top_up import top_up
from tests.faults.chain import NodeChain
from tests.faults.faults import Abandoned, FaultyChain, FaultySigner, Life, Plan, Witness
from tests.faults.signers import Signs
from tests.faults.world import LOW_GAS_WEI, POLICY, World, build_world, gas_section
from treasurer.chain.port import Chain
from treasurer.chain.signer_client import SignerClient
from treasurer.db.engine import Database

WORKERS = 4
EACH_WITH_BATCHES = 4
"""Of so many seeds one pays batches through the disperse contract, and another fills up a wallet."""
ROLLUP_FEE_WEI = 1_234_567_890_123
"""What every odd seed's network takes for a transaction beside its gas."""
GIFT_WEI = 10**15
ROUNDS_A_WAVE = 4
MOST_ROUNDS_AFTERWARDS = 60
USDC_UNIT = 10**6
Build = Callable[[SagaContext, Signs], Pump]
"""Makes an engine; a mutation makes another one."""


def plain(context: SagaContext, signer: Signs) -> Pump:
    """The engine as it is."""
    return Pump(context, cast("SignerClient", signer))


@dataclass(frozen=True)
class Variant:
    """What of the composition a schedule replaces: a mutation's engine, chain or signer."""

    name: str = ""
    build: Build = plain
    chain: Callable[[Chain], Chain] = lambda chain: chain
    signer: Callable[[World], Signs] = lambda world: world.signer


@dataclass
class Outcome:
    """What is wrong after a schedule, in words; nothing, if all went well."""

    seed: int
    faults: list[str] = field(default_factory=list)
    happened: dict[str, int] = field(default_factory=dict)
    settled: int = 0
    cancels: int = 0
    batches: int = 0
    parted: int = 0
    """Batches that came to nothing, whose payments went alone."""


class Engine:
    """One worker: a pump with a life of its own."""

    def __init__(self, world: World, plan: Plan, witness: Witness, variant: Variant) -> None:
        self.life = Life(plan)
        chain = variant.chain(FaultyChain(world.node, self.life, witness))
        # A machine whose clock is an hour off, ahead or behind.
        wrong = plan.rng.choice((-1, 1)) if plan.draw("clock skewed", plan.skews) else 0
        self._organization_id = world.organization.id
        self._context = context = world.context(
            chain,
            failpoint=self.life.reach,
            clock=lambda: world.clock() + timedelta(hours=wrong),
        )
        self.pump = variant.build(context, FaultySigner(variant.signer(world), self.life))
        self.task: asyncio.Task[int] | None = None

    @property
    def idle(self) -> bool:
        return self.task is None

    def start(self) -> None:
        self.task = asyncio.create_task(self.turn())

    async def turn(self) -> int:
        """What the worker does on its own: gas money, then a pass of the pump."""
        return await top_up(self._context, self._organization_id) + await self.pump.pass_once()

    async def until_quiet(self) -> None:
        """Until its pass ended or hangs."""
        if self.task is None:
            return
        noticed = asyncio.create_task(self.life.noticed.wait())
        await asyncio.wait({self.task, noticed}, return_when=asyncio.FIRST_COMPLETED)
        noticed.cancel()
        if self.task.done():
            error = self.task.exception()
            self.task = None
            if error is not None and not isinstance(error, Abandoned):
                raise error


async def run_schedule(database: Database, seed: int, variant: Variant | None = None) -> Outcome:
    """One schedule from its world to its audit. The world's leftovers are nobody's afterwards."""
    variant = variant or Variant()
    rng = Random(seed)
    batches = seed % EACH_WITH_BATCHES == EACH_WITH_BATCHES - 1
    name, fills_up = f"schedule {seed} {variant.name}", seed % EACH_WITH_BATCHES == 1
    world = await build_world(
        database,
        name,
        policy=POLICY + (gas_section(name, 2) if fills_up else ""),
        gas_wei=(LOW_GAS_WEI,) if fills_up else (),
        finality_lag=rng.randint(1, 4),
        batches=batches,
        rollup_fee_wei=ROLLUP_FEE_WEI * (seed % 2),
    )
    # They come in over the rounds, so that all stages of the path meet all faults.
    waves = [
        [rng.randint(1, 1000) * USDC_UNIT for _ in range(rng.randint(1, 3) * (3 if batches else 1))]
        for _ in range(rng.randint(2, 4))
    ]
    plan = Plan.drawn(rng)
    witness = Witness(database, world.organization.id)
    outcome = Outcome(seed)
    try:
        await _under_faults(world, plan, witness, variant, rng, waves)
        # Coins are booked once their wallet is quiet.
        outcome.faults += await _violations(world, "under faults", "NATIVE_DEPOSIT_NOT_BOOKED")
        await _afterwards(world, variant, witness)
        outcome.faults += witness.faults
        outcome.faults += await _violations(world, "at the end")
        outcome.faults += await _unpaid(world)
    finally:
        await world.retire()
    outcome.happened = plan.counts
    outcome.settled, outcome.cancels, outcome.batches, outcome.parted = await _counts(world)
    return outcome


async def _under_faults(
    world: World,
    plan: Plan,
    witness: Witness,
    variant: Variant,
    rng: Random,
    waves: Sequence[Sequence[int]],
) -> None:
    engines = [Engine(world, plan, witness, variant) for _ in range(WORKERS)]
    coins = world.coins()
    for number in range(len(waves) * ROUNDS_A_WAVE):
        if number % ROUNDS_A_WAVE == 0:
            await world.approve(waves[number // ROUNDS_A_WAVE])
        for engine in engines:
            if engine.idle and rng.random() < 0.6:
                engine.start()
        await asyncio.gather(*(engine.until_quiet() for engine in engines))
        engines = [
            Engine(world, plan, witness, variant) if engine.life.dead and engine.idle else engine
            for engine in engines
        ]
        _the_node_acts(world, rng)
        if number % 3 == 0:
            world.node.give(world.wallets[number % len(world.wallets)].address, GIFT_WEI + number)
        await coins.follow(world.organization.id)
        if rng.random() < 0.15:
            await world.suspend(rng.choice(world.payees))
        elif rng.random() < 0.4:
            await world.resume()
        world.clock.advance(seconds=rng.choice((0, 1, 1, 3, 3, 25)))
        for engine in engines:
            if rng.random() < 0.3:
                engine.life.release()
    plan.active = False
    while any(not engine.idle for engine in engines):
        for engine in engines:
            engine.life.release()
        await asyncio.gather(*(engine.until_quiet() for engine in engines))


def _the_node_acts(world: World, rng: Random) -> None:
    node = world.node
    senders = [wallet.address for wallet in world.wallets]
    node.base_fee_wei = 10**9 * rng.choice((1, 1, 1, 2, 90))
    if rng.random() < 0.1:
        node.blocked ^= {rng.choice(world.payees).addresses[0].address}
    if rng.random() < 0.75:
        node.mine(without=[sender for sender in senders if rng.random() < 0.2])
    if rng.random() < 0.12:
        # Never deeper than finality reaches: what is final stays.
        node.reorganise(rng.randint(1, node.finality_lag), keep=rng.random() < 0.6)


async def _afterwards(world: World, variant: Variant, witness: Witness) -> None:
    """The faults are over: leases run out, and fresh workers go on until all is ended."""
    world.node.blocked.clear()
    await world.resume()
    world.node.base_fee_wei = 10**9
    calm = Plan(Random(0), active=False)
    engine = Engine(world, calm, witness, variant)
    for turn in range(MOST_ROUNDS_AFTERWARDS):
        world.clock.advance(seconds=21 if turn < 20 else 3601)
        await engine.turn()
        world.node.mine()
        if not await world.rows(
            "SELECT FROM payments WHERE state NOT IN ('settled', 'denied', 'expired')"
            " UNION ALL SELECT FROM top_ups WHERE state = 'executing' LIMIT 1"
        ):
            break
    for _ in range(world.node.finality_lag):
        world.node.mine()
    await world.coins().follow(world.organization.id)


async def _violations(world: World, when: str, *expected: str) -> list[str]:
    await world.audit.seal(world.organization.id)
    report = await world.reconciliation(NodeChain(world.node)).examine(world.organization.id)
    return [
        f"{when}: {found.check} {found.code} {dict(found.about)} {dict(found.numbers)}"
        for result in report.results
        for found in result.violations
        if found.code not in expected
    ] + [f"{when}: {result.check.id} {result.failed}" for result in report.results if result.failed]


async def _unpaid(world: World) -> list[str]:
    """Everything is settled, but for what the policy ended while its payee was suspended; and each
    payee holds on chain exactly what was settled.
    """
    faults = [
        f"left {state}: {explanation} {reason}"
        for state, explanation, reason in await world.rows(
            "SELECT p.state, p.explanation, t.reason FROM payments p"
            " LEFT JOIN transfer_items i ON i.payment_id = p.id AND i.state = 'live'"
            " LEFT JOIN transfers t ON t.id = i.transfer_id"
            " WHERE p.state NOT IN ('settled', 'denied')"
        )
    ]
    settled = dict(
        await world.rows(
            "SELECT payee_id, CAST(sum(amount_minor) AS bigint) FROM payments"
            " WHERE state = 'settled' GROUP BY 1"
        )
    )
    for payee in world.payees:
        due = settled.get(payee.id, 0)
        held = world.node.state.tokens.get(payee.addresses[0].address, 0)
        if held != due:
            faults.append(f"{payee.code} holds {held}, was due {due}")
    left = await world.rows(
        "SELECT count(*) FROM top_ups WHERE state = 'executing' HAVING count(*) > 0"
    )
    return faults + [f"{count} top-ups left" for (count,) in left]


async def _counts(world: World) -> tuple[int, int, int, int]:
    """Payments settled, cancels signed, batches settled, batches void."""
    (counts,) = await world.rows(
        "SELECT (SELECT count(*) FROM payments WHERE state = 'settled'),"
        " (SELECT count(*) FROM attempts WHERE kind = 'cancel'),"
        " count(*) FILTER (WHERE state = 'settled'), count(*) FILTER (WHERE state = 'void')"
        " FROM transfers WHERE disperse IS NOT NULL"
    )
    return cast("tuple[int, int, int, int]", counts)
