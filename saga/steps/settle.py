"""included → settled, or back to broadcast, or void, or quarantined. Must never settle what is not
final and canonical, nor on anything but the token's own logs and balances (I6).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import structlog

from saga import attempts as attempt_store
from saga import store
from saga.context import SagaContext
from saga.evidence import Evidence, Verdict, examine, holders
from saga.journal import record
from saga.leases import Leased
from saga.steps.book import Final, book
from saga.transfer import Transfer, TransferState
from treasurer.chain.port import Receipt
from treasurer.kernel.errors import Transient
from treasurer.kernel.ids import TransferId

log = structlog.get_logger("saga.settle")


async def settle(context: SagaContext, leased: Leased) -> list[TransferId]:
    """Settle what is final; return the transfers that ended."""
    organization_id = leased.organization_id
    ids = list(leased.fences)
    async with context.database.unit(organization_id) as connection:
        transfers = await store.read(connection, organization_id, ids)
        attempts = await attempt_store.of_transfers(connection, organization_id, ids)
    hashes = {id_: {a.transaction_hash for a in found} for id_, found in attempts.items()}
    try:
        ready, vanished, waiting = await _look(context, transfers, hashes)
    except Transient as error:
        await _wait(context, leased, ids, error.message)
        return []
    await _wait(context, leased, waiting, "included, not yet final")
    await _back_to_broadcast(context, leased, vanished)
    ended = await book(context, leased, ready)
    context.failpoint("settle.committed")
    return ended


async def _look(
    context: SagaContext,
    transfers: Sequence[Transfer],
    hashes: Mapping[TransferId, set[bytes]],
) -> tuple[list[Final], list[TransferId], list[TransferId]]:
    """Sort transfers into final with evidence, vanished from the chain, and still waiting."""
    finalized = await context.chain.finalized()
    by_block: dict[int, list[Transfer]] = defaultdict(list)
    ready: list[Final] = []
    vanished: list[TransferId] = []
    waiting: list[TransferId] = []
    for transfer in transfers:
        if transfer.block_number is None or transfer.block_number > finalized.number:
            waiting.append(transfer.id)
        else:
            by_block[transfer.block_number].append(transfer)
    for number, group in by_block.items():
        block = await context.chain.receipts(number)
        found = {receipt.transaction_hash: receipt for receipt in block or ()}
        present: list[tuple[Transfer, Receipt]] = []
        for transfer in group:
            own = [found[hash_] for hash_ in hashes[transfer.id] if hash_ in found]
            if len(own) == 1 and own[0].block_hash == transfer.block_hash:
                present.append((transfer, own[0]))
            else:
                # Another block stands there now: the receipt that was seen proves nothing.
                vanished.append(transfer.id)
        ready += await _examine(context, number, block or (), present)
    return ready, vanished, waiting


async def _examine(
    context: SagaContext,
    number: int,
    block: Sequence[Receipt],
    present: Sequence[tuple[Transfer, Receipt]],
) -> list[Final]:
    if not present:
        return []
    by_token: dict[str, list[str]] = defaultdict(list)
    for transfer, _ in present:
        by_token[transfer.token] += holders(transfer)
    before: dict[str, Mapping[str, int]] = {}
    after: dict[str, Mapping[str, int]] = {}
    for token, owners in by_token.items():
        distinct = sorted(set(owners))
        old = await context.chain.token_balances(token, distinct, number - 1)
        new = await context.chain.token_balances(token, distinct, number)
        before[token] = dict(zip(distinct, old, strict=True))
        after[token] = dict(zip(distinct, new, strict=True))
    finals = []
    for transfer, receipt in present:
        token = transfer.token
        evidence = examine(transfer, receipt, block, before[token], after[token])
        if evidence.verdict is Verdict.CONTRADICTION:
            _alert(transfer, evidence)
        finals.append(Final(transfer, receipt, evidence))
    return finals


def _alert(transfer: Transfer, evidence: Evidence) -> None:
    log.error("transfer.contradiction", transfer_id=str(transfer.id), reason=evidence.reason)


async def _wait(
    context: SagaContext, leased: Leased, ids: Sequence[TransferId], reason: str
) -> None:
    if not ids:
        return
    async with context.database.unit(leased.organization_id) as connection:
        await store.delay(
            connection, leased.only(ids), next_at=context.clock() + context.pace.poll, reason=reason
        )


async def _back_to_broadcast(
    context: SagaContext, leased: Leased, ids: Sequence[TransferId]
) -> None:
    if not ids:
        return
    now = context.clock()
    async with context.database.unit(leased.organization_id) as connection:
        ours = await store.lock_leased(connection, leased.only(ids), TransferState.INCLUDED)
        await store.advance(
            connection,
            leased.organization_id,
            {transfer.id: None for transfer in ours},
            store.Move(
                TransferState.INCLUDED,
                TransferState.BROADCAST,
                now,
                reason="its block is no longer canonical",
            ),
            now,
        )
        await record(
            context,
            connection,
            leased.organization_id,
            "transfer.reorganized",
            [(transfer, {"block_number": transfer.block_number}) for transfer in ours],
        )
