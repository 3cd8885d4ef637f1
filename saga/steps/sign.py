"""slotted → signed. The only place that asks the signer. Must never keep bytes it did not check.

The signer builds the transaction from the order by itself; equal call digests prove that both sides
mean the same call. Asked again after a crash, it answers with the recorded bytes.
"""

from collections import defaultdict
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
)
from treasurer.kernel.digest import digest
from treasurer.kernel.errors import InvariantViolated, OutcomeUnknown, Transient
from treasurer.kernel.ids import TransferId
from treasurer.kernel.signing import SignPayment

FIRST_ATTEMPT = 1
log = structlog.get_logger("saga.sign")


async def sign(
    context: SagaContext, signer: SignerClient, leased: Leased, transfers: Sequence[Transfer]
) -> list[Transfer]:
    """Have the slots signed and persist the bytes; return those signed."""
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.sets(organization_id) as connection:
        checked = await conditions.check(connection, leased, TransferState.SLOTTED, now)
        orders = await store.orders(connection, organization_id, sorted(checked.clear))
    ready = [transfer for transfer in transfers if transfer.id in checked.clear]
    await _delay(context, leased, checked.reasons)
    if not ready:
        return []
    try:
        answers = await signer.sign([_request(t, orders[t.id]) for t in ready])
    except (Transient, OutcomeUnknown) as error:
        await _delay(context, leased, {transfer.id: error.message for transfer in ready})
        return []
    context.failpoint("sign.answered")
    signed, refused = _sorted_answers(ready, answers)
    await _delay(context, leased, refused)
    return await _persist(context, leased, ready, signed)


def _request(transfer: Transfer, orders: Sequence[bytes]) -> SignPayment:
    nonce, _ = transfer.slot
    if [digest(order) for order in orders] != [item.order_digest for item in transfer.items]:
        raise InvariantViolated("ORDER_CHANGED", f"an order of transfer {transfer.id} was changed")
    return SignPayment(
        orders=tuple(orders),
        sender=transfer.sender,
        nonce=nonce,
        attempt=FIRST_ATTEMPT,
        fees=transfer.fees,
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
    context: SagaContext,
    leased: Leased,
    transfers: Sequence[Transfer],
    signed: Mapping[TransferId, Attempt],
) -> list[Transfer]:
    if not signed:
        return []
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.sets(organization_id) as connection:
        moved = await store.advance(
            connection,
            leased.only(signed),
            store.Move(TransferState.SLOTTED, TransferState.SIGNED, now, keep_lease=True),
            now,
        )
        ours = [transfer for transfer in transfers if transfer.id in moved]
        kept = [signed[transfer.id] for transfer in ours]
        await attempt_store.insert(connection, organization_id, context.rail.chain_id, kept, now)
        await record(
            context,
            connection,
            organization_id,
            "transfer.signed",
            [(transfer, _signature(transfer, signed[transfer.id])) for transfer in ours],
        )
    context.failpoint("sign.committed")
    return ours


def _signature(transfer: Transfer, attempt: Attempt) -> dict[str, str | int]:
    nonce, call_digest = transfer.slot
    return {
        "nonce": nonce,
        "call_digest": call_digest.hex(),
        "transaction_hash": attempt.transaction_hash.hex(),
    }


async def _delay(context: SagaContext, leased: Leased, reasons: Mapping[TransferId, str]) -> None:
    by_reason: dict[str, list[TransferId]] = defaultdict(list)
    for transfer_id, reason in reasons.items():
        by_reason[reason].append(transfer_id)
    if not by_reason:
        return
    async with context.database.sets(leased.organization_id) as connection:
        for reason, ids in by_reason.items():
            next_at = context.clock() + context.pace.retry
            await store.delay(connection, leased.only(ids), next_at=next_at, reason=reason)
