"""Owns which of the blocks seen last are still the chain's. Pure. Must never trust a bare number."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class SeenBlock:
    """A block as it was seen: its hash, and the hash that it names as its parent."""

    number: int
    hash: bytes
    parent_hash: bytes


@dataclass(frozen=True, slots=True)
class Track:
    """`kept` is the highest block that stays; what was seen above it was reorganised away. `added` follow
    it, each the parent of the next.
    """

    kept: int
    added: tuple[SeenBlock, ...]


def follow(seen: Sequence[SeenBlock], found: Sequence[SeenBlock]) -> Track | None:
    """Fit `found`, consecutive blocks as the chain has them now, to `seen`, consecutive from the anchor up.

    `seen[0]` is the anchor, a final block. None if `found` is not one chain (it changed while it was read),
    or does not reach down to a block of `seen`: then look again from further below.
    """
    if any(child.parent_hash != parent.hash for parent, child in pairwise(found)):
        return None
    known = {block.hash for block in seen}
    for place, block in enumerate(found):
        if block.hash not in known:
            if block.parent_hash not in known:
                return None
            return Track(block.number - 1, tuple(found[place:]))
    return Track(found[-1].number, ()) if found else Track(seen[-1].number, ())
