"""Owns the choice of nonce slots. Pure. Must never reuse a slot, and never skip one.

Nonces are our own state: the chain's count only confirms it. A gap stops every later transaction of
the wallet; a slot used twice loses one of two payments.
"""

from collections.abc import Collection
from dataclasses import dataclass

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
