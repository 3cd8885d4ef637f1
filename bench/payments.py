"""Owns the comparison of payments a second with raw durable commits and with DBOS, in one run.

Must never time what is not ours and the database's: chain and signer are in memory. A wave of
payments fills every slot of every wallet; its reserve is timed apart, because the figure is what the
pump advances from reserved to settled: five states, five commits a set, every row of section 7.
"""

import time
from dataclasses import dataclass

from bench.fakes import FakeChain, FakeSigner
from bench.treasuries import Organization, approve, found, invented, saga_context
from saga.engine import Pump
from saga.steps.reserve import reserve
from saga.transfer import MAX_IN_FLIGHT
from treasurer.db.engine import Database, DatabaseUrls, open_database

ORGANIZATIONS = 8
WALLETS = 8
WAVE = ORGANIZATIONS * WALLETS * MAX_IN_FLIGHT
POOL_SIZE = 16
"""As many connections as the raw commits have."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Payments a second: reserved by the reserve step, then settled by the pump."""

    reserved: float
    settled: float


class PaymentsBench:
    """A database with organizations, and a pump over it."""

    def __init__(self, urls: DatabaseUrls) -> None:
        self.database: Database = open_database(urls, pool_size=POOL_SIZE)
        self._chain = FakeChain()
        self._signer = FakeSigner(self._chain)
        self.context = saga_context(self.database, self._chain)  # type: ignore[arg-type]
        self.pump = Pump(self.context, self._signer)  # type: ignore[arg-type]
        self.organizations: list[Organization] = []
        """Alike, but for their names."""

    async def set_up(self) -> None:
        for number in range(ORGANIZATIONS):
            self.organizations.append(await found(self.database, invented(number, WALLETS)))

    async def close(self) -> None:
        await self.database.close()

    async def round(self, payments: int) -> Rates:
        """Settle at least `payments`, in whole waves."""
        waves = -(-payments // WAVE)
        reserving = settling = 0.0
        for _ in range(waves):
            reserving += await self._reserve_wave()
            settling += await self._settle_wave()
        return Rates(waves * WAVE / reserving, waves * WAVE / settling)

    async def _reserve_wave(self) -> float:
        a_wave = WALLETS * MAX_IN_FLIGHT
        due = {
            organization.id: await approve(self.database, organization, a_wave, self._signer.learn)
            for organization in self.organizations
        }
        started = time.perf_counter()
        reserved = [len(await reserve(self.context, id_, ids)) for id_, ids in due.items()]
        elapsed = time.perf_counter() - started
        if sum(reserved) != WAVE:
            raise RuntimeError(f"{sum(reserved)} of {WAVE} payments were reserved")
        return elapsed

    async def reserve_one(self) -> None:
        """One payment of the first organization, untimed."""
        organization = self.organizations[0]
        ids = await approve(self.database, organization, 1, self._signer.learn)
        if len(await reserve(self.context, organization.id, ids)) != 1:
            raise RuntimeError("the payment was not reserved")

    async def _settle_wave(self) -> float:
        """That the wave settled is looked up afterwards."""
        elapsed = await self.settle()
        await self._require_settled()
        return elapsed

    async def settle(self) -> float:
        """Seconds until the pump moves no row any more."""
        started = time.perf_counter()
        while await self.pump.pass_once():
            continue
        return time.perf_counter() - started

    async def _require_settled(self) -> None:
        from sqlalchemy import text

        for organization in self.organizations:
            async with self.database.unit(organization.id) as connection:
                rows = await connection.execute(
                    text("SELECT state, count(*) FROM payments GROUP BY state")
                )
                states = {row[0]: row[1] for row in rows}
            if set(states) != {"settled"}:
                raise RuntimeError(f"the pump rests, but payments are {states}")
