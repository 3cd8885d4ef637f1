"""Owns what several providers' answers mean together. Pure. Must never take one voice for two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from treasurer.chain.port import BlockRef, BroadcastOutcome

T = TypeVar("T")

VOICES = 2
"""How many providers must say the same before an irreversible step."""

_STRONGEST_FIRST = (
    BroadcastOutcome.ACCEPTED,
    BroadcastOutcome.ALREADY_KNOWN,
    BroadcastOutcome.NONCE_TOO_LOW,
    # Where one gave no usable answer the bytes may be out, whatever the others refuse them for.
    BroadcastOutcome.UNKNOWN,
    BroadcastOutcome.UNDERPRICED,
    BroadcastOutcome.REJECTED,
)


@dataclass(frozen=True, slots=True)
class Tally(Generic[T]):
    """`agreed` holds the answer that VOICES gave, by one element, or none. `outvoted` names the providers
    that gave another one.
    """

    agreed: tuple[T, ...]
    outvoted: tuple[str, ...]


def tally(opinions: Mapping[str, T]) -> Tally[T]:
    """Count equal answers of providers, by name. Without a majority of VOICES nobody is outvoted."""
    for answer in opinions.values():
        agreeing = [name for name, other in opinions.items() if other == answer]
        if len(agreeing) >= VOICES and 2 * len(agreeing) > len(opinions):
            return Tally((answer,), tuple(name for name in opinions if name not in agreeing))
    return Tally((), ())


def combined(outcomes: Sequence[BroadcastOutcome]) -> BroadcastOutcome:
    """What is known of bytes that went to several providers; UNKNOWN when they went to none."""
    return next(
        (outcome for outcome in _STRONGEST_FIRST if outcome in outcomes), BroadcastOutcome.UNKNOWN
    )


def shared_heights(finals: Mapping[str, BlockRef]) -> list[BlockRef]:
    """Candidates for a block that VOICES hold final, highest first: all of `finals` but the highest, whose
    height only one provider reaches.
    """
    ordered = sorted(finals.values(), key=lambda block: block.number, reverse=True)
    return ordered[VOICES - 1 :]
