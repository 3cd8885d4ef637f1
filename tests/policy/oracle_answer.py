"""What the oracle answers: outcome and ways of agreeing, by trying everything."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import permutations

Way = dict[tuple[str, ...], int]


@dataclass
class Answer:
    """What the oracle says. Any of `ways` will do; each maps the roles of a group to a number of people."""

    denied: bool = False
    for_good: bool = False
    permitted: bool = False
    ways: list[Way] = field(default_factory=lambda: [{}])
    expiries: list[int] = field(default_factory=list)

    @property
    def summary(self) -> tuple[str, bool, list[Way], int | None]:
        """Outcome, whether only for now, ways of agreeing in a fixed order, expiry in seconds."""
        if not self.permitted:
            return "DENY", False, [], None
        if self.denied:
            return "DENY", not self.for_good, [], None
        if self.expiries:
            return "REQUIRE_APPROVAL", False, in_order(least(self.ways)), min(self.expiries)
        return "ALLOW", False, [], None


def in_order(ways: Iterable[Way]) -> list[Way]:
    return sorted(ways, key=lambda way: sorted(way.items()))


def least(ways: list[Way]) -> list[Way]:
    """Without the ways that say nothing new, because whoever gives them gives another one too."""
    distinct = [way for i, way in enumerate(ways) if way not in ways[:i]]
    if len(distinct) == 1:
        return distinct
    return [
        way for way in distinct if not any(way != other and gives(way, other) for other in distinct)
    ]


def gives(more: Way, less: Way) -> bool:
    """By trying who of `more` sits where in `less`."""
    people = [set(roles) for roles, count in more.items() for _ in range(count)]
    seats = [set(roles) for roles, count in less.items() for _ in range(count)]
    return any(
        all(person <= seat for person, seat in zip(order, seats, strict=True))
        for order in permutations(people, len(seats))
    )
