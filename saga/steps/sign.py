"""slotted → signed. The only place that asks the signer. Must never keep bytes it did not check.

The signer builds the transaction from the order by itself; equal call digests prove that both sides
mean the same call. Asked again after a crash, it answers with the recorded bytes.
"""

from collections.abc import Mapping, Sequence

import structlog

from saga import attempts as attempt_store
from saga import conditions, store
from saga.context import SagaContext
from saga.journal import record
from saga.leases import Leased
from saga.transfer import Attempt, Transfer, TransferState
from treasurer.chain.signer_client import (
    SignedAttempt,
    SignerClient,
    SignerRefusal,
    SignRequest,
)
from treasurer.kernel.errors import InvariantViolated, OutcomeUnknown, Transient
from treasurer.kernel.ids import TransferId

FIRST_ATTEMPT = 1
log = structlog.get_logger("saga.sign")


async def sign(context: SagaContext, signer: SignerClient, leased: Leased) -> list[TransferId]:
    """Have the slots signed and persist the bytes; return those signed."""
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.unit(organization_id) as connection:
        transfers = await store.lock_leased(connection, leased, TransferState.SLOTTED)
        stopped = await conditions.stopped(connection, organization_id, transfers, now)
    ready = [transfer for transfer in transfers if transfer.id not in stopped.reasons]
    await _delay(context, leased, stopped.reasons)
    if not ready:
        return []
    try:
        answers = await signer.sign([_request(transfer) for transfer in ready])
    except (Transient, OutcomeUnknown) as error:
        await _delay(context, leased, {transfer.id: error.message for transfer in ready})
        return []
    context.failpoint("sign.answered")
    signed, refused = _sorted_answers(ready, answers)
    await _delay(context, leased, refused)
    return await _persist(context, leased, signed)


def _request(transfer: Transfer) -> SignRequest:
    unsigned = transfer.unsigned()
    return SignRequest(
        order=transfer.order.canonical_bytes(),
        sender=unsigned.sender,
        nonce=unsigned.nonce,
        attempt=FIRST_ATTEMPT,
        fees=unsigned.fees,
    )


def _sorted_answers(
    transfers: Sequence[Transfer], answers: Sequence[SignedAttempt | SignerRefusal]
) -> tuple[dict[TransferId, Attempt], dict[TransferId, str]]:
    signed: dict[TransferId, Attempt] = {}
    refused: dict[TransferId, str] = {}
    for transfer, answer in zip(transfers, answers, strict=True):
        if isinstance(answer, SignerRefusal):
            refused[transfer.id] = f"the signer refused: {answer.code} {answer.message}"
            log.warning("transfer.refused", transfer_id=str(transfer.id), code=answer.code)
            continue
        if answer.call_digest != transfer.call_digest:
            raise InvariantViolated(
                "SIGNED_ANOTHER_CALL", f"the signer signed another call than slot {transfer.id}'s"
            )
        signed[transfer.id] = Attempt(
            transfer_id=transfer.id,
            number=FIRST_ATTEMPT,
            transaction_hash=answer.transaction_hash,
            call_digest=answer.call_digest,
            raw=answer.raw,
            fees=transfer.fees,
        )
    return signed, refused


async def _persist(
    context: SagaContext, leased: Leased, signed: dict[TransferId, Attempt]
) -> list[TransferId]:
    if not signed:
        return []
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.unit(organization_id) as connection:
        ours = await store.lock_leased(connection, leased.only(list(signed)), TransferState.SLOTTED)
        if not ours:
            return []
        kept = [signed[transfer.id] for transfer in ours]
        await attempt_store.insert(connection, organization_id, context.rail.chain_id, kept, now)
        await store.advance(
            connection,
            organization_id,
            {transfer.id: None for transfer in ours},
            store.Move(TransferState.SLOTTED, TransferState.SIGNED, now, keep_lease=True),
            now,
        )
        await record(
            context,
            connection,
            organization_id,
            "transfer.signed",
            [
                (transfer, {"transaction_hash": signed[transfer.id].transaction_hash.hex()})
                for transfer in ours
            ],
        )
    context.failpoint("sign.committed")
    return [transfer.id for transfer in ours]


async def _delay(context: SagaContext, leased: Leased, reasons: Mapping[TransferId, str]) -> None:
    for transfer_id, reason in reasons.items():
        async with context.database.unit(leased.organization_id) as connection:
            await store.delay(
                connection,
                leased.only([transfer_id]),
                next_at=context.clock() + context.pace.retry,
                reason=reason,
            )
