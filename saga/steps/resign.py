"""Owns later attempts of a slot: its payment at higher fees, and its cancel. Must never change a call.

What the signer recorded and a crash kept from us is taken over: the journal, not our wish, says what
was signed for a slot.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from saga import attempts as attempt_store
from saga import store
from saga.context import SagaContext
from saga.journal import record
from saga.leases import Leased
from saga.steps.sign import order_request, unsound
from saga.transfer import Attempt, AttemptKind, NextAttempt, Transfer, TransferState
from treasurer.chain.signer_client import (
    RecordedAttempt,
    SignedAttempt,
    SignerClient,
    SignerRefusal,
)
from treasurer.kernel.errors import InvariantViolated, OutcomeUnknown, Transient
from treasurer.kernel.ids import TransferId
from treasurer.kernel.signing import SignCancel, SignRequest
from treasurer.kernel.transaction import CANCEL_GAS, FeeTerms, cancel_transaction

_RECORDED_ELSE = frozenset({"ATTEMPT_GAP", "BUMP_TOO_SMALL", "JOURNAL_CONFLICT", "SLOT_CANCELLED"})
"""Refusals that say: the journal holds attempts of this slot that we do not know."""

log = structlog.get_logger("saga.resign")


async def resign(
    context: SagaContext,
    signer: SignerClient,
    leased: Leased,
    state: TransferState,
    wanted: Sequence[NextAttempt],
) -> list[TransferId]:
    """Have `wanted` signed for transfers in `state` and persist the bytes; return whose may be sent.

    A cancel calls no token, so it never waits for one; a payment does, as for its first signature.
    """
    wanted = await _sound(context, wanted)
    if not wanted:
        return []
    organization_id, now = leased.organization_id, context.clock()
    paying = [each.transfer.id for each in wanted if each.kind is not AttemptKind.CANCEL]
    async with context.database.sets(organization_id) as connection:
        orders = await store.orders(connection, organization_id, paying)
    requests = [_request(each, orders.get(each.transfer.id, [])) for each in wanted]
    try:
        answers = await signer.sign(requests)
        new: list[tuple[Transfer, Attempt]] = []
        for each, answer in zip(wanted, answers, strict=True):
            new += await _attempts(signer, each, answer, now)
    except (Transient, OutcomeUnknown) as error:
        log.warning("attempts.unsigned", reason=error.message)
        return []
    context.failpoint("resign.answered")
    stored = await _persist(context, leased, state, new)
    context.failpoint("resign.committed")
    return stored


async def _sound(context: SagaContext, wanted: Sequence[NextAttempt]) -> list[NextAttempt]:
    paying = [each.transfer for each in wanted if each.kind is not AttemptKind.CANCEL]
    stopped = (await unsound(context, paying)).keys() if paying else set()
    return [
        each
        for each in wanted
        if each.kind is AttemptKind.CANCEL
        or not stopped & {each.transfer.token, each.transfer.disperse}
    ]


def _request(each: NextAttempt, orders: Sequence[bytes]) -> SignRequest:
    transfer = replace(each.transfer, fees=each.fees)
    if each.kind is not AttemptKind.CANCEL:
        return order_request(transfer, orders, attempt=each.number)
    return SignCancel(
        chain_id=transfer.chain_id,
        sender=transfer.sender,
        nonce=transfer.slot[0],
        attempt=each.number,
        fees=each.fees,
    )


async def _attempts(
    signer: SignerClient,
    each: NextAttempt,
    answer: SignedAttempt | SignerRefusal,
    now: datetime,
) -> list[tuple[Transfer, Attempt]]:
    """The attempt that was signed; or, where the journal knows others, those."""
    transfer = each.transfer
    if isinstance(answer, SignedAttempt):
        return [(transfer, _checked(transfer, each.number, each.kind, answer, each, now))]
    log.warning("attempt.refused", transfer_id=str(transfer.id), code=answer.code)
    if answer.code not in _RECORDED_ELSE:
        return []
    recorded = [
        r
        for r in await signer.slot(transfer.chain_id, transfer.sender, transfer.slot[0])
        if r.number >= each.number
    ]
    if each.kind is AttemptKind.CANCEL and recorded:
        # Rows that were restored from an older copy give a slot out again that carries another call.
        own = [r for r in recorded if _is_own(transfer, r)]
        if len(own) < len(recorded) and not any(r.kind == AttemptKind.CANCEL for r in own):
            return await _cancel_after(signer, each, recorded[-1], now)
        recorded = own
    return [
        (transfer, _checked(transfer, r.number, AttemptKind(r.kind), r.signed, r, now))
        for r in recorded
    ]


def _is_own(transfer: Transfer, recorded: RecordedAttempt) -> bool:
    return recorded.kind == AttemptKind.CANCEL or (recorded.signed.call_digest == transfer.slot[1])


async def _cancel_after(
    signer: SignerClient, each: NextAttempt, last: RecordedAttempt, now: datetime
) -> list[tuple[Transfer, Attempt]]:
    """The cancel of a slot whose journal holds a call that is not ours: nothing of it is sent by us, and a
    final block says which of the two used the slot up.
    """
    least = last.fees.replacement(gas_limit=CANCEL_GAS)
    fees = FeeTerms(
        CANCEL_GAS,
        max(least.max_fee_per_gas_wei, each.fees.max_fee_per_gas_wei),
        max(least.max_priority_fee_per_gas_wei, each.fees.max_priority_fee_per_gas_wei),
    )
    after = replace(each, number=last.number + 1, fees=fees)
    log.error("slot.carries_another_call", transfer_id=str(each.transfer.id))
    (answer,) = await signer.sign([_request(after, [])])
    if not isinstance(answer, SignedAttempt):
        log.warning("attempt.refused", transfer_id=str(each.transfer.id), code=answer.code)
        return []
    return [
        (after.transfer, _checked(after.transfer, after.number, after.kind, answer, after, now))
    ]


def _checked(
    transfer: Transfer,
    number: int,
    kind: AttemptKind,
    signed: SignedAttempt,
    terms: NextAttempt | RecordedAttempt,
    now: datetime,
) -> Attempt:
    """The attempt, if it carries the slot's own call or is its cancel (I4)."""
    nonce, call_digest = transfer.slot
    if kind is AttemptKind.CANCEL:
        call_digest = cancel_transaction(
            chain_id=transfer.chain_id, sender=transfer.sender, nonce=nonce, fees=terms.fees
        ).call_digest
    if signed.call_digest != call_digest:
        raise InvariantViolated(
            "SIGNED_ANOTHER_CALL", f"the signer signed another call than slot {transfer.id}'s"
        )
    return Attempt(
        transfer_id=transfer.id,
        number=number,
        kind=kind,
        transaction_hash=signed.transaction_hash,
        call_digest=signed.call_digest,
        raw=signed.raw,
        fees=terms.fees,
        created_at=now,
    )


async def _persist(
    context: SagaContext,
    leased: Leased,
    state: TransferState,
    new: Sequence[tuple[Transfer, Attempt]],
) -> list[TransferId]:
    if not new:
        return []
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.sets(organization_id) as connection:
        # A slot that another worker took over must not get bytes that it does not watch.
        ours = await store.lock(connection, leased.only({t.id for t, _ in new}), state)
        kept = [(transfer, attempt) for transfer, attempt in new if transfer.id in ours]
        await attempt_store.insert(
            connection, organization_id, context.rail.chain_id, [a for _, a in kept], now
        )
        await record(
            context,
            connection,
            organization_id,
            "transfer.attempt",
            [
                (
                    transfer,
                    {
                        "number": attempt.number,
                        "kind": attempt.kind.value,
                        "transaction_hash": attempt.transaction_hash.hex(),
                        "max_fee_per_gas_wei": str(attempt.fees.max_fee_per_gas_wei),
                    },
                )
                for transfer, attempt in kept
            ],
        )
    return [transfer.id for transfer, _ in kept]
