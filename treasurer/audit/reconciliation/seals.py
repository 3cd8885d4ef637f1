"""Owns the audit chain as one of the checks (I18). Must never verify by itself: the service does."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from treasurer.audit.reconciliation.model import Check, Found, Violation
from treasurer.audit.reconciliation.scene import Scene

CHAIN = Check("I18.chain", "The audit chain verifies from its first seal to its signed head.")


@dataclass(frozen=True, slots=True)
class Seals:
    """Recomputes every hash."""

    @property
    def checks(self) -> Sequence[Check]:
        return [CHAIN]

    async def find(self, scene: Scene) -> AsyncIterator[Found]:
        fault = (await scene.audit.verify(scene.organization_id)).fault
        if fault is not None:
            yield Violation(
                CHAIN.id,
                "AUDIT_CHAIN_BROKEN",
                {"reason": fault.reason},
                {"sequence": fault.sequence},
            )
