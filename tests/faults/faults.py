"""Faults around the chain and signer ports, and deaths at failpoints, all drawn from one seed.

A fault never does what no provider could: it loses, delays, repeats, hides, forges what was not proven,
or shows an older truth. The wire is watched: bytes that a provider gets must stand in the database
before (I3), and a payment's bytes are not sent once its cancel stands there.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from sqlalchemy import text

from tests.faults.chain import NodeChain
from tests.faults.node import TRANSFER_GAS, Node
from tests.faults.signers import Signs
from treasurer.chain.errors import (
    ChainBadAnswer,
    ChainHttpError,
    ChainRateLimited,
    ChainTimeout,
    ChainUnreachable,
)
from treasurer.chain.port import (
    BlockEvidence,
    BlockRef,
    BlockSelector,
    BroadcastOutcome,
    FeeQuote,
    Receipt,
)
from treasurer.chain.signed_transaction import read_signed
from treasurer.chain.signer_client import RecordedAttempt, SignedAttempt, SignerRefusal
from treasurer.db.engine import Database
from treasurer.kernel.digest import digest
from treasurer.kernel.errors import OutcomeUnknown, Transient
from treasurer.kernel.ids import OrganizationId
from treasurer.kernel.signing import SignRequest

_ON_THE_WIRE = text("""
    SELECT a.kind, EXISTS (
        SELECT FROM attempts c WHERE c.organization_id = a.organization_id
          AND c.transfer_id = a.transfer_id AND c.kind = 'cancel') AS cancelled
    FROM attempts a
    WHERE a.organization_id = :organization_id AND a.transaction_hash = :hash
""")
_READ_FAULTS: tuple[Callable[[], Transient], ...] = (
    lambda: ChainTimeout("eth_call"),
    lambda: ChainRateLimited("eth_call"),
    lambda: ChainHttpError("eth_call", 500),
    lambda: ChainUnreachable("eth_call", "connection reset"),
    lambda: ChainBadAnswer("eth_call", "<html>"),
)


class Abandoned(BaseException):
    """The engine died here. No handler of the engine catches it, as none would run after SIGKILL."""


@dataclass
class Plan:
    """How likely each fault is in this schedule. Nothing happens once `active` is off."""

    rng: Random
    active: bool = True
    dies: float = 0.06
    fails: float = 0.08
    loses: float = 0.15
    hides: float = 0.15
    forges: float = 0.03
    lags: float = 0.2
    hangs: float = 0.04
    skews: float = 0.15
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def drawn(cls, rng: Random) -> "Plan":
        """Some schedules are calm in one respect and wild in another."""
        weights = [rng.choice((0.0, 0.5, 1.0, 2.5)) for _ in range(7)]
        plan = cls(rng)
        names = ("dies", "fails", "loses", "hides", "forges", "lags", "hangs")
        for name, weight in zip(names, weights, strict=True):
            setattr(plan, name, getattr(plan, name) * weight)
        return plan

    def draw(self, what: str, likely: float) -> bool:
        """Whether it happens now; counted by name."""
        happens = self.active and self.rng.random() < likely
        if happens:
            self.counts[what] = self.counts.get(what, 0) + 1
        return happens


class Life:
    """One engine's life. A dead one reaches no failpoint, provider or signer any more."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.dead = False
        self.hanging: asyncio.Event | None = None
        self.noticed = asyncio.Event()
        """Set when the engine hangs, so that nobody waits for it."""

    def reach(self, name: str) -> None:
        """The failpoint."""
        self.require()
        # An effect without its commit is where losses come from; commits are many, effects are few.
        likely = self.plan.dies * (1 if name.endswith(".committed") else 4)
        if self.plan.draw(f"died at {name}", likely):
            self.dead = True
            raise Abandoned(name)

    def require(self) -> None:
        if self.dead:
            raise Abandoned("dead already")

    async def pass_through(self) -> None:
        """Before an effect: go on, hang until released, or find out that one is dead."""
        self.require()
        if self.plan.draw("hung", self.plan.hangs):
            self.hanging = asyncio.Event()
            self.noticed.set()
            await self.hanging.wait()
            self.hanging = None
        self.require()

    def release(self) -> None:
        if self.hanging is not None:
            self.noticed.clear()
            self.hanging.set()


class Witness:
    """Looks at the database at the moment when bytes go to a provider."""

    def __init__(self, database: Database, organization_id: OrganizationId) -> None:
        self._database = database
        self._organization_id = organization_id
        self.faults: list[str] = []

    async def watch(self, raws: Sequence[bytes]) -> None:
        for raw in raws:
            read = read_signed(raw)
            async with self._database.unit(self._organization_id) as connection:
                row = (
                    await connection.execute(
                        _ON_THE_WIRE,
                        {
                            "organization_id": self._organization_id,
                            "hash": read.transaction_hash,
                        },
                    )
                ).one_or_none()
            if row is None:
                self.faults.append(f"sent before persisted: {read.transaction_hash.hex()}")
            elif row.kind == "payment" and row.cancelled:
                self.faults.append(f"payment sent after its cancel: {read.transaction_hash.hex()}")


class FaultyChain(NodeChain):
    """What one engine sees of the node."""

    def __init__(self, node: Node, life: Life, witness: Witness) -> None:
        super().__init__(node)
        self._life = life
        self._plan = life.plan
        self._witness = witness

    async def _read(self) -> None:
        await self._life.pass_through()
        if self._plan.draw("read failed", self._plan.fails):
            raise self._plan.rng.choice(_READ_FAULTS)()

    async def head(self) -> BlockRef:
        await self._read()
        return await super().head()

    async def finalized(self) -> BlockRef:
        await self._read()
        found = await super().finalized()
        if self._plan.draw("stale head", self._plan.lags):
            behind = self._plan.rng.randint(1, 4)
            return self.node.blocks[max(0, found.number - behind)].ref
        return found

    async def fees(self) -> FeeQuote:
        await self._read()
        return await super().fees()

    async def receipts_of(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        await self._read()
        found = await super().receipts_of(transaction_hashes)
        return [
            self._told(hash_, receipt)
            for hash_, receipt in zip(transaction_hashes, found, strict=True)
        ]

    async def evidence(
        self, number: int, holders: Mapping[str, Collection[str]]
    ) -> BlockEvidence | None:
        await self._read()
        if self._plan.draw("block hidden", self._plan.hides / 3):
            return None
        return await super().evidence(number, holders)

    async def token_allowances(
        self, token: str, owners: Sequence[str], spender: str, block: BlockSelector = "latest"
    ) -> list[int]:
        await self._read()
        return await super().token_allowances(token, owners, spender, block)

    async def nonce(self, address: str, block: BlockSelector = "latest") -> int:
        await self._read()
        return await super().nonce(address, block)

    async def broadcast_many(self, raws: Sequence[bytes]) -> list[BroadcastOutcome]:
        # The bytes are handed over here, even if what carries them hangs afterwards.
        self._life.require()
        await self._witness.watch(raws)
        await self._life.pass_through()
        if self._plan.draw("request lost", self._plan.loses / 2):
            return [BroadcastOutcome.UNKNOWN] * len(raws)
        outcomes = [self.node.send(raw) for raw in raws]
        if self._plan.draw("sent twice", self._plan.loses / 3):
            outcomes = [self.node.send(raw) for raw in raws]
        if self._plan.draw("reply lost", self._plan.loses):
            return [BroadcastOutcome.UNKNOWN] * len(raws)
        return [
            BroadcastOutcome.UNKNOWN if self._plan.draw("answer lost", self._plan.loses / 3) else o
            for o in outcomes
        ]

    def _told(self, hash_: bytes, receipt: Receipt | None) -> Receipt | None:
        # None is the word of all providers (`SeveralProviders.receipts_of`). What is young all may hide;
        # a final one that all hide is a contradiction, which people resolve (tests/saga/test_resolving.py).
        young = receipt is None or receipt.block_number > self.node.finalized.ref.number
        if self._plan.draw("receipt hidden", self._plan.hides) and young:
            return None
        if receipt is None and self._plan.draw("receipt forged", self._plan.forges):
            # A block that no honest provider has; it pays exactly what was asked.
            number = self.node.blocks[-1].ref.number
            return Receipt(hash_, number, digest(hash_), True, TRANSFER_GAS, 10**9, ())
        return receipt


class FaultySigner:
    """A signer whose socket breaks, and whose answers may be lost."""

    def __init__(self, signer: Signs, life: Life) -> None:
        self._signer = signer
        self._life = life

    async def sign(self, requests: Sequence[SignRequest]) -> list[SignedAttempt | SignerRefusal]:
        plan = self._life.plan
        await self._life.pass_through()
        if plan.draw("signer away", plan.fails):
            raise Transient("SIGNER_UNREACHABLE", "the signer does not answer")
        answers = await self._signer.sign(requests)
        await self._life.pass_through()
        if plan.draw("signature lost", plan.fails):
            raise OutcomeUnknown("SIGNER_SILENT", "the signer's answer was lost")
        return answers

    async def slot(self, chain_id: int, wallet: str, nonce: int) -> list[RecordedAttempt]:
        await self._life.pass_through()
        if self._life.plan.draw("signer away", self._life.plan.fails):
            raise Transient("SIGNER_UNREACHABLE", "the signer does not answer")
        return await self._signer.slot(chain_id, wallet, nonce)
