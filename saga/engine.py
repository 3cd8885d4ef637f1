"""Owns the pump: claims what is due and advances it, set by set. Must never hold state of its own.

The tables are the truth. A pump that dies leaves leases that run out, and another goes on from what
was committed. Every step is safe to repeat.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import structlog

from saga import leases, store
from saga.context import SagaContext
from saga.leases import Leased
from saga.steps.broadcast import broadcast
from saga.steps.cancel import cancel
from saga.steps.include import include
from saga.steps.reserve import reserve
from saga.steps.resign import resign
from saga.steps.settle import settle
from saga.steps.sign import sign
from saga.steps.slot import slot
from saga.transfer import Transfer, TransferState
from treasurer.chain.signer_client import SignerClient
from treasurer.kernel.ids import OrganizationId, TransferId

Step = Callable[[Leased, Sequence[Transfer]], Awaitable[list[Transfer]]]
log = structlog.get_logger("saga.engine")


class Pump:
    """Advances all organizations' transfers. Any number of pumps may run beside each other."""

    def __init__(
        self, context: SagaContext, signer: SignerClient, *, batch: int = 500, width: int = 4
    ) -> None:
        """`batch` rows are claimed a pass; `width` organizations advance beside each other."""
        self._context = context
        self._batch = batch
        self._places = asyncio.Semaphore(width)
        # After a step, the transfers it returns are ready for the next one under the same lease.
        again = partial(resign, context, signer)
        self._steps: dict[TransferState, tuple[Step, TransferState | None]] = {
            TransferState.RESERVED: (partial(slot, context), TransferState.SLOTTED),
            TransferState.SLOTTED: (partial(sign, context, signer), TransferState.SIGNED),
            TransferState.SIGNED: (partial(broadcast, context), None),
            TransferState.BROADCAST: (partial(include, context, again), None),
            TransferState.INCLUDED: (partial(settle, context), None),
            TransferState.CANCELLING: (partial(cancel, context, again), None),
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
        each = await asyncio.gather(
            *(self._organization(id_, by_state) for id_, by_state in claimed.items())
        )
        return sum(each)

    async def _organization(
        self,
        organization_id: OrganizationId,
        by_state: Mapping[TransferState, Mapping[TransferId, int]],
    ) -> int:
        """One organization's sets, one after the other: they share its budget row."""
        async with self._places:
            moved = 0
            for state, fences in by_state.items():
                moved += await self._chain_of_steps(Leased(organization_id, fences), state)
            return moved

    async def _chain_of_steps(self, claimed: Leased, first: TransferState) -> int:
        leased, moved = claimed, 0
        state: TransferState | None = first
        try:
            async with self._context.database.sets(leased.organization_id) as connection:
                transfers = await store.load(connection, leased, first)
            while state is not None and transfers and state in self._steps:
                step, following = self._steps[state]
                leased = leased.only(transfer.id for transfer in transfers)
                transfers, state = await step(leased, transfers), following
                moved += len(transfers)
        except Exception:
            log.exception("step.failed", organization_id=str(leased.organization_id), state=state)
            # Steps that end well give their leases back themselves.
            async with self._context.database.claims() as connection:
                await leases.release(connection, claimed)
        return moved

    async def _rest(self, stop: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(stop.wait(), self._context.pace.poll.total_seconds() / 2)
        except TimeoutError:
            return
