"""Owns conditions over typed fields, joined by all, any and not. Must never loosen as the amount grows.

The amount may only make a condition true as it grows, never false again: `above` outside of `not`,
`at most` inside. The compiler refuses otherwise, because what asks or denies below an amount and not
above it could be evaded by asking for more (I11).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from policy.facts import Facts
from policy.fields import Field, Kind
from policy.request import PaymentRequest
from policy.requirement import duration_in_words
from treasurer.kernel.digest import Canonical
from treasurer.kernel.money import Asset, format_minor, from_minor


class Condition(ABC):
    """Something that holds of a payment or does not, once all its facts are there."""

    __slots__ = ()

    @abstractmethod
    def holds(self, request: PaymentRequest, facts: Facts) -> bool:
        """Whether it holds. The caller has seen to it that `missing` is None."""

    @abstractmethod
    def leaves(self, negated: bool = False) -> Iterator[tuple["Leaf", bool]]:
        """Every test with whether it stands under an odd number of `not`."""

    @abstractmethod
    def document(self) -> Canonical:
        """The one spelling that is stored."""

    @abstractmethod
    def in_words(self, reporting: Asset) -> str:
        """For people."""

    def missing(self, request: PaymentRequest, facts: Facts) -> str | None:
        """The first field whose fact could not be had. All are needed, also where one would decide:

        else a greater amount could turn "not known" into a milder "yes".
        """
        for leaf, _ in self.leaves():
            if leaf.field.read(request, facts) is None:
                return leaf.field.label
        return None

    @property
    def amounts_minor(self) -> tuple[int, ...]:
        """The reporting amounts up to which, inclusively, each test of the amount answers alike."""
        return tuple(leaf.bound for leaf, _ in self.leaves() if leaf.field.kind is Kind.AMOUNT)


@dataclass(frozen=True, slots=True)
class All(Condition):
    parts: tuple[Condition, ...]

    def holds(self, request: PaymentRequest, facts: Facts) -> bool:
        return all(part.holds(request, facts) for part in self.parts)

    def leaves(self, negated: bool = False) -> Iterator[tuple["Leaf", bool]]:
        for part in self.parts:
            yield from part.leaves(negated)

    def document(self) -> Canonical:
        return {"all": [part.document() for part in self.parts]}

    def in_words(self, reporting: Asset) -> str:
        return " and ".join(_inner(part, reporting) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Any(Condition):
    parts: tuple[Condition, ...]

    def holds(self, request: PaymentRequest, facts: Facts) -> bool:
        return any(part.holds(request, facts) for part in self.parts)

    def leaves(self, negated: bool = False) -> Iterator[tuple["Leaf", bool]]:
        for part in self.parts:
            yield from part.leaves(negated)

    def document(self) -> Canonical:
        return {"any": [part.document() for part in self.parts]}

    def in_words(self, reporting: Asset) -> str:
        return " or ".join(_inner(part, reporting) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not(Condition):
    part: Condition

    def holds(self, request: PaymentRequest, facts: Facts) -> bool:
        return not self.part.holds(request, facts)

    def leaves(self, negated: bool = False) -> Iterator[tuple["Leaf", bool]]:
        yield from self.part.leaves(not negated)

    def document(self) -> Canonical:
        return {"not": self.part.document()}

    def in_words(self, reporting: Asset) -> str:
        return f"not ({self.part.in_words(reporting)})"


@dataclass(frozen=True, slots=True)
class Leaf(Condition):
    """One test. `words` for words; else `bound`, and `upper` says whether it holds from there on.

    Counts and spans hold `at least` the bound or `under` it; amounts `above` it or `at most` it, in
    `reporting`, which only they have.
    """

    field: Field
    words: tuple[str, ...] = ()
    bound: int = 0
    upper: bool = False
    reporting: Asset | None = None

    def holds(self, request: PaymentRequest, facts: Facts) -> bool:
        value = self.field.read(request, facts)
        if isinstance(value, int):
            reached = value > self.bound if self.field.kind is Kind.AMOUNT else value >= self.bound
            return reached is self.upper
        if isinstance(value, tuple):
            return any(word in self.words for word in value)
        return value in self.words

    def leaves(self, negated: bool = False) -> Iterator[tuple["Leaf", bool]]:
        yield self, negated

    def document(self) -> Canonical:
        return {self.field.name: list(self.words) or self._phrase()}

    def in_words(self, reporting: Asset) -> str:
        if self.words:
            return f"{self.field.label} is {' or '.join(self.words)}"
        phrase = self._phrase()
        if self.field.kind is Kind.AMOUNT:
            phrase = f"{self._comparison()} {format_minor(self.bound, reporting)}"
        elif self.field.kind is Kind.SPAN:
            phrase = f"{self._comparison()} {duration_in_words(self.bound)}"
        return f"{self.field.label} is {phrase}"

    def _comparison(self) -> str:
        if self.field.kind is Kind.AMOUNT:
            return "above" if self.upper else "at most"
        return "at least" if self.upper else "under"

    def _phrase(self) -> str:
        if self.reporting is not None:
            amount = f"{from_minor(self.bound, self.reporting):f} {self.reporting.symbol}"
            return f"{self._comparison()} {amount}"
        unit = " s" if self.field.kind is Kind.SPAN else ""
        return f"{self._comparison()} {self.bound}{unit}"


def _inner(part: Condition, reporting: Asset) -> str:
    words = part.in_words(reporting)
    return f"({words})" if isinstance(part, All | Any) and len(part.parts) > 1 else words


def falls_with_amount(condition: Condition) -> bool:
    """Whether a greater amount could make it false: the compiler refuses such a condition."""
    return any(
        leaf.field.kind is Kind.AMOUNT and leaf.upper is negated
        for leaf, negated in condition.leaves()
    )
