"""Owns the pump: claims what is due and advances it, set by set. Must never hold state of its own.

The tables are the truth. A pump that dies leaves leases that run out, and another goes on from what
was committed. Every step is safe to repeat, so a set that fails is taken apart: one transfer in trouble
holds up no other.
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
from treasurer.kernel.errors import TreasurerError
from treasurer.kernel.ids import OrganizationId, PaymentId, TransferId
from treasurer.payments import store as payments

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
            TransferState.SIGNED: (partial(broadcast, context, again), None),
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
        return sum([await self._reserve_of(id_, ids) for id_, ids in due.items()])

    async def _reserve_of(self, organization_id: OrganizationId, ids: Sequence[PaymentId]) -> int:
        """One organization's due payments; where they fail together, each for itself."""
        context = self._context
        try:
            return len(await reserve(context, organization_id, ids))
        except Exception as error:
            log.exception("reserve.failed", organization_id=str(organization_id))
            reason = _reason(error)
        if len(ids) > 1:
            return sum([await self._reserve_of(organization_id, [id_]) for id_ in ids])
        async with context.database.sets(organization_id) as connection:
            next_at = context.clock() + context.pace.retry
            await payments.put_off(connection, organization_id, {ids[0]: reason}, next_at=next_at)
        return 0

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

    async def _chain_of_steps(self, leased: Leased, first: TransferState) -> int:
        """Advance a set as far as it goes; where it fails, each of it for itself from there on."""
        context, moved = self._context, 0
        state: TransferState | None = first
        try:
            async with context.database.sets(leased.organization_id) as connection:
                transfers = await store.load(connection, leased, first)
            while state is not None and transfers and state in self._steps:
                step, following = self._steps[state]
                leased = leased.only(transfer.id for transfer in transfers)
                transfers, state = await step(leased, transfers), following
                moved += len(transfers)
            return moved
        except Exception as error:
            log.exception("step.failed", organization_id=str(leased.organization_id), state=state)
            reason = _reason(error)
        if state is not None and len(leased.fences) > 1:
            for id_ in leased.fences:
                moved += await self._chain_of_steps(leased.only([id_]), state)
            return moved
        # Steps that end well give their leases back themselves.
        async with context.database.sets(leased.organization_id) as connection:
            next_at = context.clock() + context.pace.retry
            await store.delay(connection, leased, next_at=next_at, reason=reason)
        return moved

    async def _rest(self, stop: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(stop.wait(), self._context.pace.poll.total_seconds() / 2)
        except TimeoutError:
            return


def _reason(error: Exception) -> str:
    """What people read of it where the transfer or payment is shown."""
    if isinstance(error, TreasurerError):
        return error.message
    return f"it failed by {type(error).__name__}, see the worker's log; it is tried again"
