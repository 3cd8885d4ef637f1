"""Owns how checks are made: by one statement, or by tests of each row of a stream.

Must never read a row twice: all tests of a stream share one pass over it.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

from treasurer.audit.reconciliation.model import Check, Found, Violation
from treasurer.audit.reconciliation.scene import Scene


class Examination(Protocol):
    """One pass over the data that answers one or several checks."""

    @property
    def checks(self) -> Sequence[Check]:
        """What it answers."""

    def find(self, scene: Scene) -> AsyncIterator[Found]:
        """Everything that it finds. Reads in pages; writes nothing."""


Row = TypeVar("Row")
Test: TypeAlias = tuple[Check, Callable[[Scene, Row], Iterable[Violation]]]


@dataclass(frozen=True, slots=True)
class Stream(Generic[Row]):
    """Rows read once, a page at a time, with all the tests that look at each of them."""

    pages: Callable[[Scene], AsyncIterator[Sequence[Row]]]
    tests: tuple[Test[Row], ...]

    @property
    def checks(self) -> Sequence[Check]:
        return [check for check, _ in self.tests]

    async def find(self, scene: Scene) -> AsyncIterator[Found]:
        async for page in self.pages(scene):
            # In a thread: the worker's pump goes on while signatures and decisions are computed.
            for violation in await scene.compute(self._judge, scene, page):
                yield violation

    def _judge(self, scene: Scene, page: Sequence[Row]) -> list[Violation]:
        return [found for row in page for _, test in self.tests for found in test(scene, row)]
