"""Owns the record of one run: its steps, its reader, its proposal. Must never hold a document's text.

The record has no times and no random ids of its own, so that two runs over the same facts are equal
and a replay can be compared by digest.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from treasurer.kernel.digest import Canonical, canonical_digest


@dataclass(frozen=True, slots=True)
class Step:
    """One node of the graph and what it found, in canonical types."""

    name: str
    facts: Mapping[str, Canonical]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run did. `proposal_digest` is the one in the audit event of the recorded reading."""

    reader: str
    prompt_version: str | None
    steps: tuple[Step, ...]
    proposal_digest: str | None

    @property
    def digest(self) -> str:
        """SHA-256 in hex over all of it."""
        return canonical_digest(
            {
                "reader": self.reader,
                "prompt_version": self.prompt_version,
                "steps": [{"name": step.name, "facts": step.facts} for step in self.steps],
                "proposal_digest": self.proposal_digest,
            }
        ).hex()


class RunRecorder:
    """Collects the steps of one run in order."""

    def __init__(self, *, reader: str, prompt_version: str | None) -> None:
        self.reader = reader
        self.prompt_version = prompt_version
        self.proposal_digest: str | None = None
        self._steps: list[Step] = []

    def step(self, name: str, **facts: Canonical) -> None:
        """Note that a node ran and what it found."""
        self._steps.append(Step(name, facts))

    def record(self) -> RunRecord:
        """The run so far."""
        return RunRecord(self.reader, self.prompt_version, tuple(self._steps), self.proposal_digest)
