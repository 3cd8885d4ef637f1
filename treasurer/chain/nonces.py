"""Owns the choice of nonce slots and their comparison with the chain. Pure. Must never reuse or skip one.

Nonces are our own state: the chain's count only confirms it. A gap stops every later transaction of
the wallet; a slot used twice loses one of two payments.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

MAX_IN_FLIGHT = 16
"""Nodes drop what lies further ahead than this; and what is in flight is what a crash must sort out."""


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """`nonces` to give out, in order. `foreign` counts mined transactions that are not ours.

    If `foreign` is not 0 nothing is planned: someone else uses the key, or the provider lies.
    """

    nonces: tuple[int, ...]
    foreign: int


def plan_slots(
    *,
    chain_nonce: int,
    next_nonce: int,
    in_flight: Collection[int],
    wanted: int,
    max_in_flight: int = MAX_IN_FLIGHT,
) -> SlotPlan:
    """The next slots of one wallet.

    `chain_nonce` is the mined count at the latest block, `next_nonce` one above the highest slot ever
    given out, `in_flight` the slots that are not final, `wanted` how many transfers wait. A chain that
    lags (a stale provider) is ignored; one that is ahead stops the plan.
    """
    if chain_nonce > next_nonce:
        return SlotPlan((), chain_nonce - next_nonce)
    free = max(0, max_in_flight - len(in_flight))
    return SlotPlan(tuple(range(next_nonce, next_nonce + min(wanted, free))), 0)


class SlotStanding(StrEnum):
    """What our books say of a slot that was given out."""

    UNSENT = "unsent"
    """Signed bytes never reached a provider, as far as we know."""
    SENT = "sent"
    """Bytes may be out; none of the slot's hashes is in a block."""
    MINED = "mined"
    """A block, final or not, holds one of the slot's own hashes."""


@dataclass(frozen=True, slots=True)
class NonceHealth:
    """What is wrong between a wallet's counts on chain and our slots; all empty if nothing is.

    `send_again`: sent slots that the provider's pool has lost; the same bytes go out again, lowest first.
    `holding_up`: a slot without sent bytes below others that wait for it; it is sent or cancelled next.
    `look_up`: the chain passed these slots, so one of their hashes stands in a block that was not seen.
    `foreign`: a *final* block passed these slots and holds none of our hashes: someone else used
    the key, or the provider lies. Nothing more is signed for the wallet, and people look.
    """

    send_again: tuple[int, ...] = ()
    holding_up: int | None = None
    look_up: tuple[int, ...] = ()
    foreign: tuple[int, ...] = ()


def examine_nonces(
    *,
    latest: int,
    pending: int,
    finalized: int,
    next_nonce: int,
    slots: Mapping[int, SlotStanding],
) -> NonceHealth:
    """Compare the counts of a wallet's transactions with its live slots.

    `latest`, `pending` and `finalized` count what is mined, what is mined or waits in the provider's pool
    without a gap, and what is mined at the agreed final block. `next_nonce` is one above the highest slot
    ever given out; `slots` are the ones not yet settled or void. Their hashes were looked up after the
    counts were read. A provider that lags only causes the same bytes to be sent once more.
    """
    mined = max(latest, finalized)
    unseen = [n for n in sorted(slots) if n < mined and slots[n] is not SlotStanding.MINED]
    waiting = [n for n in sorted(slots) if n >= mined]
    sent = [n for n in waiting if slots[n] is SlotStanding.SENT]
    unsent = [n for n in waiting if slots[n] is SlotStanding.UNSENT]
    return NonceHealth(
        send_again=tuple(n for n in sent if n >= pending),
        holding_up=unsent[0] if unsent and sent and unsent[0] < sent[-1] else None,
        look_up=tuple(n for n in unseen if n >= finalized),
        foreign=(*(n for n in unseen if n < finalized), *range(next_nonce, finalized)),
    )
