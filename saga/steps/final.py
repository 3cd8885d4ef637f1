"""Owns what final blocks prove about slots. Must never settle on one provider's word, nor on a status (I6).

Blocks are read with their receipts and balances at one hash, as two providers agree on them.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import structlog

from saga.context import SagaContext
from saga.evidence import (
    Evidence,
    Movement,
    Verdict,
    examine,
    examine_allowance,
    examine_top_up,
    holders,
)
from saga.transfer import Transfer
from treasurer.chain.port import BlockEvidence, Receipt
from treasurer.chain.tokens import decode_transfers, net_changes
from treasurer.kernel.allowance_order import AllowanceOrder
from treasurer.kernel.errors import OutcomeUnknown, Permanent, Transient
from treasurer.kernel.ids import TransferId

log = structlog.get_logger("saga.final")


_YOUNG = 1_000
"""Blocks by which one head may be ahead of another, generously; final ones lie further back."""
Unread: TypeAlias = Transient | OutcomeUnknown


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a slot was seen: its block's number and hash, and the hashes of its payment and cancels."""

    transfer: Transfer
    block_number: int
    block_hash: bytes
    payments: frozenset[bytes]
    cancels: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Final:
    """A slot that a final block used up, with the receipt and what that proves."""

    transfer: Transfer
    receipt: Receipt
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Looked:
    """Slots that are final, that left the chain, that are not yet final, and whose block nobody could show,
    with why.
    """

    finals: tuple[Final, ...]
    vanished: tuple[TransferId, ...]
    waiting: tuple[TransferId, ...]
    unread: Mapping[TransferId, Unread]


@dataclass(frozen=True, slots=True)
class _Read:
    """A block's evidence, read once for all slots that it used up: blocks hold hundreds."""

    block: BlockEvidence
    receipts: Mapping[bytes, Sequence[Receipt]]
    """By transaction hash."""
    mute: Mapping[str, str]
    """Tokens that answer for no balance, with what they answered."""
    logged: dict[str, Mapping[str, int]] = field(default_factory=dict)
    """By token: what each holder gained by the logs."""

    @classmethod
    def of(cls, block: BlockEvidence, mute: Mapping[str, str]) -> "_Read":
        receipts: dict[bytes, list[Receipt]] = defaultdict(list)
        for receipt in block.receipts:
            receipts[receipt.transaction_hash].append(receipt)
        return cls(block, receipts, mute)

    def movements(self, transfer: Transfer) -> Mapping[str, Movement]:
        """What each holder gained in the block, by the token's balances and by its logs."""
        token = transfer.token
        if token not in self.logged:
            self.logged[token] = net_changes(self.block.receipts, token=token)
        logged = self.logged[token]
        moved = {owner: self.block.balances[token, owner] for owner in set(holders(transfer))}
        return {
            owner: Movement(moved=change.after - change.before, logged=logged.get(owner, 0))
            for owner, change in moved.items()
        }


async def look(context: SagaContext, standings: Sequence[Standing]) -> Looked:
    """Sort slots by their blocks. A block that cannot be read holds up its own slots alone.

    Raises Transient, or OutcomeUnknown where providers contradict, if nobody says what is final.
    """
    finalized = await context.chain.finalized()
    by_block: dict[int, list[Standing]] = defaultdict(list)
    waiting: list[TransferId] = []
    highest = finalized.number + _YOUNG
    if any(standing.block_number > highest for standing in standings):
        highest = max(highest, (await context.chain.head()).number + _YOUNG)
    # A block beyond any head would be waited for for ever: its receipt was made up.
    vanished = [each.transfer.id for each in standings if each.block_number > highest]
    for standing in standings:
        if finalized.number < standing.block_number <= highest:
            waiting.append(standing.transfer.id)
        elif standing.block_number <= finalized.number:
            by_block[standing.block_number].append(standing)
    finals: list[Final] = []
    unread: dict[TransferId, Unread] = {}
    blocks = await asyncio.gather(*(_read(context, number, on) for number, on in by_block.items()))
    for group, read in zip(by_block.values(), blocks, strict=True):
        for standing in group:
            found = await _final(context, standing, read)
            if isinstance(found, Unread):
                unread[standing.transfer.id] = found
            elif found is None:
                # Another block stands there now: the receipt that was seen proves nothing.
                vanished.append(standing.transfer.id)
            else:
                finals.append(found)
    return Looked(tuple(finals), tuple(vanished), tuple(waiting), unread)


async def _read(
    context: SagaContext, number: int, standings: Sequence[Standing]
) -> _Read | Unread | None:
    """The block; None where there is none of that number, or why nobody could show it."""
    wanted = _holders(standings)
    try:
        try:
            block = await context.chain.evidence(number, wanted)
            return None if block is None else _Read.of(block, {})
        except Permanent:
            return await _read_by_token(context, number, wanted)
    except (Transient, OutcomeUnknown) as error:
        return error


async def _read_by_token(
    context: SagaContext, number: int, wanted: Mapping[str, Collection[str]]
) -> _Read | None:
    """The block where a token does not answer: cancels and other tokens do not need it."""
    block, mute = await context.chain.evidence(number, {}), dict[str, str]()
    if block is None:
        return None
    balances = dict(block.balances)
    for token, owners in wanted.items():
        try:
            found = await context.chain.evidence(number, {token: owners})
        except Permanent as error:
            mute[token] = error.message
            continue
        if found is None or found.block.hash != block.block.hash:
            return None
        balances |= found.balances
    return _Read.of(replace(block, balances=balances), mute)


def _holders(standings: Iterable[Standing]) -> dict[str, set[str]]:
    by_token: dict[str, set[str]] = defaultdict(set)
    for standing in standings:
        if standing.transfer.top_up is None:
            by_token[standing.transfer.token].update(holders(standing.transfer))
    return by_token


async def _final(
    context: SagaContext, standing: Standing, read: _Read | Unread | None
) -> Final | Unread | None:
    if read is None or isinstance(read, Unread):
        return read
    transfer, block = standing.transfer, read.block
    own = standing.payments | standing.cancels
    found = [receipt for hash_ in own for receipt in read.receipts.get(hash_, ())]
    if block.block.hash != standing.block_hash or len(found) != 1:
        return None
    (receipt,) = found
    if receipt.transaction_hash in standing.cancels:
        return Final(transfer, receipt, Evidence(Verdict.CANCELLED))
    if transfer.top_up is not None:
        evidence = examine_top_up(receipt)
    elif transfer.allowance is not None:
        try:
            evidence = await _allowed(context, transfer, transfer.allowance, receipt, block)
        except (Transient, OutcomeUnknown) as error:
            return error
    elif transfer.token in read.mute and receipt.succeeded:
        reason = f"the token answers for no balance: {read.mute[transfer.token]}"
        evidence = Evidence(Verdict.CONTRADICTION, reason=reason)
    elif transfer.token in read.mute:
        evidence = examine(transfer, receipt, {})
    else:
        evidence = examine(transfer, receipt, read.movements(transfer))
    if evidence.verdict is Verdict.CONTRADICTION:
        log.error("transfer.contradiction", transfer_id=str(transfer.id), reason=evidence.reason)
    return Final(transfer, receipt, evidence)


async def _allowed(
    context: SagaContext,
    transfer: Transfer,
    order: AllowanceOrder,
    receipt: Receipt,
    block: BlockEvidence,
) -> Evidence:
    """What the token says the spender may move after the block, and what it moved later in it."""
    (allowed,) = await context.chain.token_allowances(
        order.token, [transfer.sender], order.spender, block.block.hash
    )
    later = block.receipts[block.receipts.index(receipt) + 1 :]
    used = sum(
        moved.amount_minor
        for each in later
        if any(log.address == order.spender for log in each.logs)
        for moved in decode_transfers(each, order.token)
        if moved.sender == transfer.sender
    )
    return examine_allowance(transfer, order, receipt, allowed=allowed, used=used)
