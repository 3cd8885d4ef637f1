"""included → settled, or back to broadcast, or void, or quarantined. Must never settle what is not
final and canonical, nor on anything but the token's own logs and balances (I6).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import structlog

from saga import attempts as attempt_store
from saga import store
from saga.context import SagaContext
from saga.evidence import Evidence, Movement, Verdict, examine, holders
from saga.journal import record
from saga.leases import Leased
from saga.steps.book import Final, book
from saga.transfer import Transfer, TransferState
from treasurer.chain.port import Receipt
from treasurer.chain.tokens import net_changes
from treasurer.kernel.errors import Transient
from treasurer.kernel.ids import TransferId

log = structlog.get_logger("saga.settle")


async def settle(
    context: SagaContext, leased: Leased, transfers: Sequence[Transfer]
) -> list[Transfer]:
    """Settle what is final; return the transfers that ended."""
    organization_id, ids = leased.organization_id, [transfer.id for transfer in transfers]
    async with context.database.sets(organization_id) as connection:
        hashes = await attempt_store.hashes(connection, organization_id, ids)
    try:
        ready, vanished, waiting = await _look(context, transfers, hashes)
    except Transient as error:
        await _wait(context, leased, ids, error.message)
        return []
    await _wait(context, leased, waiting, "included, not yet final")
    await _back_to_broadcast(context, leased, transfers, vanished)
    ended = await book(context, leased, ready)
    context.failpoint("settle.committed")
    return ended


async def _look(
    context: SagaContext,
    transfers: Sequence[Transfer],
    hashes: Mapping[TransferId, Sequence[bytes]],
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
    by_token: dict[str, set[str]] = defaultdict(set)
    for transfer, _ in present:
        by_token[transfer.token].update(holders(transfer))
    movements = {
        token: await _movements(context, token, owners, number, block)
        for token, owners in by_token.items()
    }
    finals = []
    for transfer, receipt in present:
        evidence = examine(transfer, receipt, movements[transfer.token])
        if evidence.verdict is Verdict.CONTRADICTION:
            _alert(transfer, evidence)
        finals.append(Final(transfer, receipt, evidence))
    return finals


async def _movements(
    context: SagaContext, token: str, owners: Collection[str], number: int, block: Sequence[Receipt]
) -> dict[str, Movement]:
    """What each of `owners` gained in the block, by the token's balances and by its logs."""
    distinct = sorted(owners)
    before = await context.chain.token_balances(token, distinct, number - 1)
    after = await context.chain.token_balances(token, distinct, number)
    logged = net_changes(block, token=token)
    return {
        owner: Movement(moved=new - old, logged=logged.get(owner, 0))
        for owner, old, new in zip(distinct, before, after, strict=True)
    }


def _alert(transfer: Transfer, evidence: Evidence) -> None:
    log.error("transfer.contradiction", transfer_id=str(transfer.id), reason=evidence.reason)


async def _wait(
    context: SagaContext, leased: Leased, ids: Sequence[TransferId], reason: str
) -> None:
    if not ids:
        return
    async with context.database.sets(leased.organization_id) as connection:
        await store.delay(
            connection, leased.only(ids), next_at=context.clock() + context.pace.poll, reason=reason
        )


async def _back_to_broadcast(
    context: SagaContext,
    leased: Leased,
    transfers: Sequence[Transfer],
    vanished: Sequence[TransferId],
) -> None:
    if not vanished:
        return
    now = context.clock()
    async with context.database.sets(leased.organization_id) as connection:
        moved = await store.advance(
            connection,
            leased.only(vanished),
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
            [(t, {"block_number": t.block_number}) for t in transfers if t.id in moved],
        )
