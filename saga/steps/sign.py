"""slotted → signed. Asks the signer for the first attempt. Must never keep bytes that it did not check.

The signer builds the transaction from the orders by itself; equal call digests prove that both sides
mean the same call. Asked again after a crash, it answers with the recorded bytes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from saga import attempts as attempt_store
from saga import conditions, store
from saga.context import SagaContext
from saga.journal import record
from saga.leases import Leased
from saga.steps.abandon import abandon
from saga.transfer import NATIVE, Attempt, Transfer, TransferState
from treasurer.chain.signer_client import SignedAttempt, SignerClient, SignerRefusal
from treasurer.incidents.model import IncidentKind
from treasurer.incidents.store import open_incidents
from treasurer.kernel.digest import digest
from treasurer.kernel.errors import InvariantViolated, OutcomeUnknown, Transient, TreasurerError
from treasurer.kernel.ids import OrganizationId, TransferId
from treasurer.kernel.signing import SignAllowance, SignPayment, SignRequest, SignTopUp

FIRST_ATTEMPT = 1

PASSING = frozenset(
    {
        "CHAIN_NOT_PERMITTED",
        "CHAIN_UNCHECKED",
        "FROZEN",
        "ISOLATION_MISSING",
        "JOURNAL_BEHIND",
        "JOURNAL_MISSING",
        "KEY_UNAVAILABLE",
        "LIMITS_UNREADABLE",
        "NONCE_BEFORE_ENROLMENT",
        "NONCE_TOO_FAR",
        "WALLET_UNKNOWN",
    }
)
"""Refusals that are not of the order: somebody mends or unfreezes the signer, and the slot waits."""

log = structlog.get_logger("saga.sign")


async def sign(
    context: SagaContext, signer: SignerClient, leased: Leased, transfers: Sequence[Transfer]
) -> list[Transfer]:
    """Have the slots signed and persist the bytes; return those signed.

    A slot whose payment may no longer be signed is abandoned: later nonces of its wallet wait for it.
    """
    organization_id, now = leased.organization_id, context.clock()
    found = await unsound(context, transfers)
    async with context.database.sets(organization_id) as connection:
        checked = await conditions.check(connection, leased, TransferState.SLOTTED, now)
        orders = await store.orders(connection, organization_id, sorted(checked.clear))
    await abandon(context, leased, transfers, TransferState.SLOTTED, checked.reasons)
    waiting = {
        t.id: found[address]
        for t in transfers
        for address in (t.token, t.disperse)
        if t.id in checked.clear and address in found
    }
    await _delay(context, leased, waiting)
    ready = [t for t in transfers if t.id in checked.clear and t.id not in waiting]
    if not ready:
        return []
    requests = [order_request(t, orders.get(t.id, []), attempt=FIRST_ATTEMPT) for t in ready]
    try:
        answers = await _answers(context, signer, ready, requests)
    except (Transient, OutcomeUnknown) as error:
        await _delay(context, leased, {transfer.id: error.message for transfer in ready})
        return []
    context.failpoint("sign.answered")
    signed, refused = _sorted_answers(context, ready, answers)
    await _tell(context, organization_id, refused)
    passing = {id_ for id_, refusal in refused.items() if refusal.code in PASSING}
    why = {i: f"the signer refused: {r.code} {r.message}" for i, r in refused.items()}
    await _delay(context, leased, {id_: why[id_] for id_ in passing})
    ended = {id_: reason for id_, reason in why.items() if id_ not in passing}
    await abandon(context, leased, transfers, TransferState.SLOTTED, ended)
    return await _persist(context, leased, ready, signed)


async def _answers(
    context: SagaContext,
    signer: SignerClient,
    transfers: Sequence[Transfer],
    requests: Sequence[SignRequest],
) -> list[SignedAttempt | SignerRefusal]:
    """The signer's answers. Payments that had another slot before are asked for again with its end: only
    who knows that slot may have them signed once more.
    """
    answers = list(await signer.sign(requests))
    refused = [
        index
        for index, answer in enumerate(answers)
        if isinstance(answer, SignerRefusal) and answer.code == "ORDER_IN_ANOTHER_SLOT"
    ]
    if not refused:
        return answers
    async with context.database.sets(transfers[0].organization_id) as connection:
        ended = await store.ended_slots(
            connection, transfers[0].organization_id, [transfers[index].id for index in refused]
        )
    again = {
        index: replace(request, ended=tuple(ended[transfers[index].id]))
        for index in refused
        if isinstance(request := requests[index], SignPayment) and transfers[index].id in ended
    }
    if again:
        for index, answer in zip(again, await signer.sign(list(again.values())), strict=True):
            answers[index] = answer
    return answers


async def unsound(context: SagaContext, transfers: Sequence[Transfer]) -> dict[str, str]:
    """Tokens and contracts that must not be signed for now, each with why: not the pinned code, or nobody
    answers.
    """
    found: dict[str, str] = {}
    called = {address for t in transfers for address in (t.token, t.disperse) if address}
    called -= {NATIVE}
    for address in sorted(called):
        try:
            check = await context.tokens.check(address)
        except TreasurerError as error:
            found[address] = error.message
            continue
        if not check.sound:
            found[address] = "; ".join(finding.message for finding in check.findings)
            log.error("contract.unsound", address=address, reason=found[address])
    return found


def order_request(
    transfer: Transfer, orders: Sequence[bytes], *, attempt: int
) -> SignPayment | SignAllowance | SignTopUp:
    """What the signer is asked for a slot: the very bytes that were approved."""
    nonce, _ = transfer.slot
    if transfer.allowance is not None:
        order = transfer.allowance.canonical_bytes()
        return SignAllowance(order=order, nonce=nonce, attempt=attempt, fees=transfer.fees)
    if transfer.top_up is not None:
        order = transfer.top_up.order.canonical_bytes()
        return SignTopUp(order=order, nonce=nonce, attempt=attempt, fees=transfer.fees)
    if [digest(order) for order in orders] != [item.order_digest for item in transfer.items]:
        raise InvariantViolated("ORDER_CHANGED", f"an order of transfer {transfer.id} was changed")
    return SignPayment(
        orders=tuple(orders),
        sender=transfer.sender,
        nonce=nonce,
        attempt=attempt,
        fees=transfer.fees,
        disperse=transfer.disperse,
    )


async def _tell(
    context: SagaContext,
    organization_id: OrganizationId,
    refused: Mapping[TransferId, SignerRefusal],
) -> None:
    """Somebody has to look at what the signer refused; a freeze is nobody's surprise."""
    messages = [
        (id_, f"{refusal.code} {refusal.message}")
        for id_, refusal in refused.items()
        if refusal.code != "FROZEN"
    ]
    if not messages:
        return
    async with context.database.sets(organization_id) as connection:
        await open_incidents(
            connection,
            organization_id,
            IncidentKind.SIGNER_REFUSED,
            messages,
            now=context.clock(),
            new_id=context.new_id,
        )


def _sorted_answers(
    context: SagaContext,
    transfers: Sequence[Transfer],
    answers: Sequence[SignedAttempt | SignerRefusal],
) -> tuple[dict[TransferId, Attempt], dict[TransferId, SignerRefusal]]:
    signed: dict[TransferId, Attempt] = {}
    refused: dict[TransferId, SignerRefusal] = {}
    for transfer, answer in zip(transfers, answers, strict=True):
        if isinstance(answer, SignerRefusal):
            refused[transfer.id] = answer
            log.warning("transfer.refused", transfer_id=str(transfer.id), code=answer.code)
            continue
        if answer.call_digest != transfer.call_digest:
            raise InvariantViolated(
                "SIGNED_ANOTHER_CALL", f"the signer signed another call than slot {transfer.id}'s"
            )
        signed[transfer.id] = Attempt(
            transfer_id=transfer.id,
            number=FIRST_ATTEMPT,
            kind=transfer.attempt_kind,
            transaction_hash=answer.transaction_hash,
            call_digest=answer.call_digest,
            raw=answer.raw,
            fees=transfer.fees,
            created_at=context.clock(),
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
