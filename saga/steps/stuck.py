"""Owns what is asked of the chain about slots whose transactions no block was seen to hold.

Must never take a new nonce: a count that passed a slot means that its hashes are looked up again, and a
final count that passed it without any of them means that somebody else used the key.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from saga import store
from saga.context import SagaContext
from saga.leases import Leased
from saga.transfer import Transfer, TransferState
from treasurer.chain.nonces import SlotStanding, examine_nonces
from treasurer.kernel.ids import TransferId

FOREIGN = "a final block used its slot up, and none of its own transactions is in one"

_STANDINGS = {
    TransferState.BROADCAST: SlotStanding.SENT,
    TransferState.INCLUDED: SlotStanding.MINED,
}


@dataclass(frozen=True, slots=True)
class Stuck:
    """Of the slots asked about: `first` are the next ones that their wallets can mine; `foreign` were used
    up by a final block without us; `passed` stand in a block that was not seen yet.
    """

    first: frozenset[TransferId]
    foreign: frozenset[TransferId]
    passed: frozenset[TransferId]


async def examine_stuck(
    context: SagaContext, leased: Leased, transfers: Sequence[Transfer]
) -> Stuck:
    """Compare the wallets' counts with their live slots. Raises Transient or OutcomeUnknown."""
    by_sender: dict[str, list[Transfer]] = defaultdict(list)
    for transfer in transfers:
        by_sender[transfer.sender].append(transfer)
    async with context.database.sets(leased.organization_id) as connection:
        slots = await store.live_slots(
            connection, leased.organization_id, sorted({t.wallet_id for t in transfers})
        )
    first: set[TransferId] = set()
    foreign: set[TransferId] = set()
    passed: set[TransferId] = set()
    for sender, group in by_sender.items():
        next_nonce, live = slots[group[0].wallet_id]
        # A quarantined slot is not live, and is asked about all the same.
        own = {transfer.slot[0]: TransferState.BROADCAST for transfer in group} | live
        latest, pending = [await context.chain.nonce(sender, at) for at in ("latest", "pending")]
        finalized = await context.chain.finalized()
        final = await context.chain.nonce(sender, finalized.number)
        health = examine_nonces(
            latest=latest,
            pending=pending,
            finalized=final,
            next_nonce=next_nonce,
            slots={
                nonce: _STANDINGS.get(state, SlotStanding.UNSENT) for nonce, state in own.items()
            },
        )
        for transfer in group:
            nonce, _ = transfer.slot
            if nonce in health.foreign:
                foreign.add(transfer.id)
            elif nonce < latest:
                passed.add(transfer.id)
            elif nonce == latest:
                first.add(transfer.id)
    return Stuck(frozenset(first), frozenset(foreign), frozenset(passed))
