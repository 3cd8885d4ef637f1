"""Owns the rule by which a block is final on a network. Pure. Must never use the `safe` tag.

`safe` may still be reorganised; `finalized` may not while two thirds of the stake are honest. A chain
without the tag has a depth, chosen by whoever wrote its profile.
"""

from dataclasses import dataclass
from typing import TypeAlias

from treasurer.chain.port import BlockRef


@dataclass(frozen=True, slots=True)
class FinalizedTag:
    """The node's `finalized` block decides."""


@dataclass(frozen=True, slots=True)
class Depth:
    """A block is final when `blocks` others stand upon it."""

    blocks: int

    def __post_init__(self) -> None:
        if self.blocks < 1:
            raise ValueError("a depth of less than one block is no finality")

    def final_number(self, head: int) -> int:
        """The highest final block under `head`; block 0 is always final."""
        return max(0, head - self.blocks)


FinalityRule: TypeAlias = FinalizedTag | Depth


def parse_finality(text: str) -> FinalityRule:
    """Read `finalized` or `depth:N`. Raises ValueError."""
    if text == "finalized":
        return FinalizedTag()
    word, _, number = text.partition(":")
    if word == "depth" and number.isascii() and number.isdigit():
        return Depth(int(number))
    raise ValueError(f"{text!r} is no finality rule: write finalized or depth:N")


def is_final(block: BlockRef, canonical: BlockRef | None, finalized: BlockRef) -> bool:
    """Whether `block` lies at or below `finalized` and is the canonical block of its number.

    `canonical` is what the chain now has at `block.number`. Both are asked, because a number says
    nothing after a reorganisation.
    """
    return (
        canonical is not None
        and canonical.hash == block.hash
        and block.number <= finalized.number
        and (block.number != finalized.number or block.hash == finalized.hash)
    )
