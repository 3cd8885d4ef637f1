"""Owns the error classes, sorted by what the caller must do. Must never know HTTP or a database.

The mapping from class and code to a status stands once, in `api/errors.py`. A policy denial is a
decision, not an exception.
"""

from collections.abc import Mapping

ErrorDatum = str | int | bool | None


class TreasurerError(Exception):
    """An error with a stable `code` for programs and a `message` that says what the reader can do."""

    def __init__(self, code: str, message: str, **data: ErrorDatum) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.data: Mapping[str, ErrorDatum] = data


class InvalidInput(TreasurerError):
    """The request itself is wrong; sending it again unchanged fails again."""


class NotFound(TreasurerError):
    """Nothing of that name is visible to the caller, which includes other organizations' rows."""


class NotPermitted(TreasurerError):
    """The caller is known and may not do this."""


class Conflict(TreasurerError):
    """The request contradicts the present state; read the state and decide again."""


class Transient(TreasurerError):
    """Failed with provably no effect; a bounded retry is safe."""


class Permanent(TreasurerError):
    """Will never succeed; compensate."""


class OutcomeUnknown(TreasurerError):
    """The effect may or may not have happened. Never retried blind: reconcile first."""


class InvariantViolated(TreasurerError):
    """Something that must hold does not: stop this organization's outflows and alert."""
