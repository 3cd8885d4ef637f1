"""Owns the pump: claims what is due and advances it, set by set. Must never hold state of its own.

The tables are the truth. A pump that dies leaves leases that run out, and another goes on from what
was committed. Every step is safe to repeat.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from saga import leases
from saga.context import SagaContext
from saga.leases import Leased
from saga.steps.broadcast import broadcast
from saga.steps.include import include
from saga.steps.reserve import reserve
from saga.steps.settle import settle
from saga.steps.sign import sign
from saga.steps.slot import slot
from saga.transfer import TransferState
from treasurer.chain.signer_client import SignerClient
from treasurer.kernel.ids import OrganizationId, TransferId

Step = Callable[[Leased], Awaitable[list[TransferId]]]
log = structlog.get_logger("saga.engine")


class Pump:
    """Advances all organizations' transfers. Any number of pumps may run beside each other."""

    def __init__(self, context: SagaContext, signer: SignerClient, *, batch: int = 200) -> None:
        self._context = context
        self._batch = batch
        # After a step, the transfers it returns are ready for the next one under the same lease.
        self._steps: dict[TransferState, tuple[Step, TransferState | None]] = {
            TransferState.RESERVED: (
                lambda leased: slot(context, leased),
                TransferState.SLOTTED,
            ),
            TransferState.SLOTTED: (
                lambda leased: sign(context, signer, leased),
                TransferState.SIGNED,
            ),
            TransferState.SIGNED: (lambda leased: broadcast(context, leased), None),
            TransferState.BROADCAST: (lambda leased: include(context, leased), None),
            TransferState.INCLUDED: (lambda leased: settle(context, leased), None),
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Pump until `stop` is set; a failing pass is logged and the next one tries again."""
        while not stop.is_set():
            try:
                moved = await self.pass_once()
            except Exception:
                log.exception("pass.failed")
                moved = 0
            if moved == 0:
                await self._rest(stop)

    async def pass_once(self) -> int:
        """Reserve what is approved and advance what is due, once; return how many rows moved."""
        reserved = await self._reserve()
        return reserved + await self._advance()

    async def _reserve(self) -> int:
        context = self._context
        async with context.database.claims() as connection:
            due = await leases.due_payments(connection, now=context.clock(), most=self._batch)
        moved = 0
        for organization_id, ids in due.items():
            try:
                moved += len(await reserve(context, organization_id, ids))
            except Exception:
                log.exception("reserve.failed", organization_id=str(organization_id))
        return moved

    async def _advance(self) -> int:
        context = self._context
        async with context.database.claims() as connection:
            claimed = await leases.claim(
                connection,
                now=context.clock(),
                lease_s=context.pace.lease_s,
                most=self._batch,
            )
        moved = 0
        for organization_id, by_state in claimed.items():
            for state, fences in by_state.items():
                moved += await self._chain_of_steps(organization_id, state, fences)
        return moved

    async def _chain_of_steps(
        self,
        organization_id: OrganizationId,
        state: TransferState | None,
        fences: dict[TransferId, int],
    ) -> int:
        leased = Leased(organization_id, fences)
        moved = 0
        try:
            while state is not None and leased.fences and state in self._steps:
                step, following = self._steps[state]
                advanced = await step(leased)
                moved += len(advanced)
                leased, state = leased.only(advanced), following
        except Exception:
            log.exception("step.failed", organization_id=str(organization_id), state=state)
        async with self._context.database.claims() as connection:
            await leases.release(connection, fences)
        return moved

    async def _rest(self, stop: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(stop.wait(), self._context.pace.poll.total_seconds() / 2)
        except TimeoutError:
            return
