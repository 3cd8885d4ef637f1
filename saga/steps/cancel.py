"""cancelling → void when the cancel is final, or settled when the payment won after all.

Must never send a payment's bytes, and never void before a final block used the slot up (I5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from saga import attempts as attempt_store
from saga import store
from saga.context import Resign, SagaContext
from saga.leases import Leased
from saga.steps.book import book
from saga.steps.broadcast import send_again
from saga.steps.final import Looked, Standing, look
from saga.steps.include import mined_receipts
from saga.steps.quarantine import quarantine
from saga.steps.stuck import FOREIGN, examine_stuck
from saga.transfer import Attempt, AttemptKind, NextAttempt, Transfer, TransferState
from treasurer.chain.fees import cancel_terms, raised
from treasurer.chain.port import FeeQuote
from treasurer.kernel.errors import OutcomeUnknown, Transient
from treasurer.kernel.ids import TransferId
from treasurer.kernel.transaction import CANCEL_GAS, FeeTerms

_CANCELLING = TransferState.CANCELLING
History = Mapping[TransferId, Sequence[Attempt]]


async def cancel(
    context: SagaContext, resign: Resign, leased: Leased, transfers: Sequence[Transfer]
) -> list[Transfer]:
    """Use the slots up and end those that a final block used; return the transfers that ended."""
    organization_id, ids = leased.organization_id, [transfer.id for transfer in transfers]
    async with context.database.sets(organization_id) as connection:
        history = await attempt_store.history(connection, organization_id, ids)
    try:
        looked = await _look(context, transfers, history)
        seen = {final.transfer.id for final in looked.finals} | {*looked.waiting, *looked.unread}
        open_ = [transfer for transfer in transfers if transfer.id not in seen]
        await _press(context, resign, leased.only([t.id for t in open_]), open_, history)
    except (Transient, OutcomeUnknown) as error:
        await _wait(context, leased, error.message)
        return []
    ended = await book(context, leased, _CANCELLING, looked.finals)
    context.failpoint("cancel.committed")
    gone = {transfer.id for transfer in ended}
    await _wait(context, leased.only([i for i in ids if i not in gone]), "")
    return ended


async def _look(context: SagaContext, transfers: Sequence[Transfer], history: History) -> Looked:
    """All hashes of a slot stay watched: the payment may win, sent long before its cancel."""
    receipts = await mined_receipts(
        context, {id_: [a.transaction_hash for a in attempts] for id_, attempts in history.items()}
    )
    return await look(
        context,
        [
            Standing(
                transfer,
                receipts[transfer.id].block_number,
                receipts[transfer.id].block_hash,
                _hashes(history[transfer.id], transfer.attempt_kind),
                _hashes(history[transfer.id], AttemptKind.CANCEL),
            )
            for transfer in transfers
            if transfer.id in receipts
        ],
    )


def _hashes(attempts: Sequence[Attempt], kind: AttemptKind) -> frozenset[bytes]:
    return frozenset(a.transaction_hash for a in attempts if a.kind is kind)


async def _press(
    context: SagaContext,
    resign: Resign,
    leased: Leased,
    transfers: Sequence[Transfer],
    history: History,
) -> None:
    """Sign and send the cancels of slots that no block used up yet."""
    if not transfers:
        return
    now, quote = context.clock(), await context.chain.fees()
    wanted = [
        NextAttempt(transfer, _number(attempts) + 1, AttemptKind.CANCEL, terms)
        for transfer in transfers
        if _wants_another(attempts := history.get(transfer.id, ()), now, context)
        and (terms := _terms(attempts, quote, context)) is not None
    ]
    await resign(leased, _CANCELLING, wanted)
    async with context.database.sets(leased.organization_id) as connection:
        known = await attempt_store.history(
            connection, leased.organization_id, [transfer.id for transfer in transfers]
        )
    cancelled = [t for t in transfers if _hashes(known.get(t.id, ()), AttemptKind.CANCEL)]
    stuck = await examine_stuck(context, leased, cancelled)
    missed = await mined_receipts(
        context, {id_: [a.transaction_hash for a in known[id_]] for id_ in stuck.foreign}
    )
    foreign = {t.id: FOREIGN for t in cancelled if t.id in stuck.foreign and t.id not in missed}
    await quarantine(context, leased, _CANCELLING, foreign, transfers)
    await send_again(context, leased, [t.id for t in cancelled if t.id not in foreign])


def _number(attempts: Sequence[Attempt]) -> int:
    return attempts[-1].number if attempts else 0


def _wants_another(attempts: Sequence[Attempt], now: datetime, context: SagaContext) -> bool:
    if not any(attempt.kind is AttemptKind.CANCEL for attempt in attempts):
        return True
    return now - attempts[-1].created_at > context.pace.bump


def _terms(attempts: Sequence[Attempt], quote: FeeQuote, context: SagaContext) -> FeeTerms | None:
    """Enough to replace every attempt that was ever signed for the slot: of its payment also where the
    caps were higher then, as the signer permits.
    """
    caps = context.fees.caps
    if attempts:
        dearest = [a.fees.max_fee_per_gas_wei for a in attempts if a.kind is not AttemptKind.CANCEL]
        caps = replace(caps, cancel_wei=max([caps.cancel_wei, *map(raised, dearest)]))
        return cancel_terms([attempt.fees for attempt in attempts], quote, caps)
    most = min(caps.cancel_wei, raised(2 * quote.base_fee_wei + quote.priority_fee_wei))
    return FeeTerms(CANCEL_GAS, most, min(quote.priority_fee_wei, most))


async def _wait(context: SagaContext, leased: Leased, reason: str) -> None:
    if not leased.fences:
        return
    async with context.database.sets(leased.organization_id) as connection:
        await store.delay(
            connection,
            leased,
            next_at=context.clock() + context.pace.retry,
            reason=reason or "its slot is being used up",
        )
