"""Wrong engines: each breaks one rule that others paid for, and must turn the laboratory red.

A mutation is another step, chain or signer, handed in where the right one is. `Mutant` is the only
place that knows how the pump holds its steps.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

from sqlalchemy import text

from saga import attempts, store
from saga.context import SagaContext
from saga.engine import Pump
from saga.journal import record
from saga.leases import Leased
from saga.steps.broadcast import broadcast
from saga.steps.cancel import cancel
from saga.steps.include import include
from saga.steps.resign import resign
from saga.steps.sign import order_request, sign
from saga.store import Move
from saga.transfer import Attempt, AttemptKind, Transfer, TransferState
from tests.faults.signers import Signs
from treasurer.chain.port import BlockRef, BroadcastOutcome, Chain
from treasurer.chain.signer_client import SignedAttempt, SignerClient
from treasurer.kernel.errors import OutcomeUnknown
from treasurer.kernel.signing import EndedSlot, SignPayment
from treasurer.ledger import store as ledger
from treasurer.payments import spending, wallets

Step = Callable[[Leased, Sequence[Transfer]], Awaitable[list[Transfer]]]
MakeStep = Callable[[SagaContext, Signs], Step]
_NEW_SLOT = text("""
    UPDATE transfers SET nonce = :nonce, call_digest = :digest
    WHERE organization_id = :organization_id AND id = :id
""")


class Mutant(Pump):
    """The pump with another step for one state."""

    def __init__(
        self, context: SagaContext, signer: Signs, state: TransferState, make: MakeStep
    ) -> None:
        super().__init__(context, cast("SignerClient", signer))
        _, following = self._steps[state]
        self._steps[state] = (make(context, signer), following)


def replacing(state: TransferState, make: MakeStep) -> Callable[[SagaContext, Signs], Pump]:
    """Builds the mutant of a schedule."""
    return lambda context, signer: Mutant(context, signer, state, make)


def broadcast_before_persist(context: SagaContext, signer: Signs) -> Step:
    """Sends what the signer answered, and keeps it afterwards."""

    async def step(leased: Leased, transfers: Sequence[Transfer]) -> list[Transfer]:
        answers = [await _signed(context, signer, transfer, 1) for transfer in transfers]
        await context.chain.broadcast_many([answer.raw for answer in answers])
        return await sign(context, cast("SignerClient", signer), leased, transfers)

    return step


def new_nonce_on(*outcomes: BroadcastOutcome) -> MakeStep:
    """Takes these answers for failures and signs the payment again in another slot."""

    def make(context: SagaContext, signer: Signs) -> Step:
        async def step(leased: Leased, transfers: Sequence[Transfer]) -> list[Transfer]:
            async with context.database.unit(leased.organization_id) as connection:
                raws = await attempts.newest_raw(
                    connection, leased.organization_id, [transfer.id for transfer in transfers]
                )
            answers = await context.chain.broadcast_many([raws[one.id] for one in transfers])
            for transfer, answer in zip(transfers, answers, strict=True):
                if answer in outcomes:
                    await _in_another_slot(context, signer, leased, transfer)
            again = partial(resign, context, cast("SignerClient", signer))
            return await broadcast(context, again, leased, transfers)

        return step

    return make


async def _in_another_slot(
    context: SagaContext, signer: Signs, leased: Leased, transfer: Transfer
) -> None:
    organization_id = leased.organization_id
    async with context.database.unit(organization_id) as connection:
        own = await attempts.hashes(connection, organization_id, [transfer.id])
        taken = await wallets.take_nonces(connection, organization_id, {transfer.wallet_id: 1})
        moved = transfer.in_slot(next(iter(taken[transfer.wallet_id])))
        nonce, call_digest = moved.slot
        await connection.execute(
            _NEW_SLOT,
            {
                "organization_id": organization_id,
                "id": transfer.id,
                "nonce": nonce,
                "digest": call_digest,
            },
        )
    # Signed without any lock: a signer that hangs would hang all who wait for the wallet.
    # It takes the slot for over, so it says so: nobody but the chain can tell the signer better.
    over = EndedSlot(transfer.sender, transfer.slot[0], None)
    answer = await _signed(context, signer, moved, 1, (over,))
    attempt = Attempt(
        transfer.id,
        len(own[transfer.id]) + 1,
        AttemptKind.PAYMENT,
        answer.transaction_hash,
        answer.call_digest,
        answer.raw,
        transfer.fees,
        context.clock(),
    )
    async with context.database.unit(organization_id) as connection:
        await attempts.insert(
            connection, organization_id, transfer.chain_id, [attempt], context.clock()
        )


def void_on_missing_receipt(context: SagaContext, signer: Signs) -> Step:
    """Takes a receipt that is not there for a payment that was not made."""

    async def step(leased: Leased, transfers: Sequence[Transfer]) -> list[Transfer]:
        async with context.database.unit(leased.organization_id) as connection:
            own = await attempts.hashes(
                connection, leased.organization_id, [transfer.id for transfer in transfers]
            )
        missing = [
            transfer
            for transfer in transfers
            if not any(await context.chain.receipts_of(list(own[transfer.id])))
        ]
        for transfer in missing:
            await void(context, leased, transfer, "no receipt")
        left = [transfer for transfer in transfers if transfer not in missing]
        if not left:
            return []
        again = partial(resign, context, cast("SignerClient", signer))
        return await include(context, again, leased.only([one.id for one in left]), left)

    return step


async def void(context: SagaContext, leased: Leased, transfer: Transfer, reason: str) -> None:
    """Gives everything back in whatever state the transfer is."""
    organization_id, now = leased.organization_id, context.clock()
    ids = [item.payment_id for item in transfer.items]
    async with context.database.unit(organization_id) as connection:
        await spending.lock(connection, organization_id)
        moved = await store.advance(
            connection,
            leased.only([transfer.id]),
            Move(transfer.state, TransferState.VOID, None, reason=reason),
            now,
        )
        if not moved:
            return
        await ledger.close_holds(connection, organization_id, [transfer.id], posted=False)
        await spending.come_back(
            connection,
            organization_id,
            [item.reporting_amount_minor for item in transfer.items],
        )
        await store.close_items(connection, organization_id, dict.fromkeys(ids), settled=False)
        await context.outcomes.voided(connection, organization_id, ids, now=now, next_at=now)
        await record(
            context,
            connection,
            organization_id,
            "transfer.voided",
            [(transfer, {"reason": reason})],
        )


class HeadIsFinal:
    """A chain whose newest block counts as final: settle on included."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def __getattr__(self, name: str) -> object:
        return getattr(self._chain, name)

    async def finalized(self) -> BlockRef:
        return await self._chain.head()


def void_on_cancel_broadcast(context: SagaContext, signer: Signs) -> Step:
    """Takes a cancel that was sent for one that is final."""

    async def step(leased: Leased, transfers: Sequence[Transfer]) -> list[Transfer]:
        ended = await _cancelled(context, signer, leased, transfers)
        async with context.database.unit(leased.organization_id) as connection:
            history = await attempts.history(
                connection, leased.organization_id, [transfer.id for transfer in transfers]
            )
        for transfer in transfers:
            sent = any(one.kind is AttemptKind.CANCEL for one in history.get(transfer.id, ()))
            if sent and transfer not in ended:
                await void(context, leased, transfer, "its cancel was sent")
        return ended

    return step


def void_on_cancel_included(context: SagaContext, signer: Signs) -> Step:
    """Takes a cancel that some block holds for one that is final."""
    hasty = replace(context, chain=cast("Chain", HeadIsFinal(context.chain)))

    async def step(leased: Leased, transfers: Sequence[Transfer]) -> list[Transfer]:
        return await _cancelled(hasty, signer, leased, transfers)

    return step


def payment_after_cancel(context: SagaContext, signer: Signs) -> Step:
    """Sends all that was ever signed for a slot, its payment among it."""

    async def step(leased: Leased, transfers: Sequence[Transfer]) -> list[Transfer]:
        ended = await _cancelled(context, signer, leased, transfers)
        async with context.database.unit(leased.organization_id) as connection:
            history = await attempts.history(
                connection, leased.organization_id, [transfer.id for transfer in transfers]
            )
        await context.chain.broadcast_many(
            [one.raw for signed in history.values() for one in signed]
        )
        return ended

    return step


async def _cancelled(
    context: SagaContext, signer: Signs, leased: Leased, transfers: Sequence[Transfer]
) -> list[Transfer]:
    again = partial(resign, context, cast("SignerClient", signer))
    return await cancel(context, again, leased, transfers)


async def _signed(
    context: SagaContext,
    signer: Signs,
    transfer: Transfer,
    number: int,
    ended: tuple[EndedSlot, ...] = (),
) -> SignedAttempt:
    async with context.database.unit(transfer.organization_id) as connection:
        orders = await store.orders(connection, transfer.organization_id, [transfer.id])
    request = order_request(transfer, orders[transfer.id], attempt=number)
    assert isinstance(request, SignPayment)
    (answer,) = await signer.sign([replace(request, ended=ended)])
    if not isinstance(answer, SignedAttempt):
        raise OutcomeUnknown("SIGNER_REFUSED", f"{answer.code} {answer.message}")
    return answer
