"""Owns the refusals of sign-in. Must never say which half of a credential was wrong."""

from treasurer.kernel.errors import TreasurerError


class NotAuthenticated(TreasurerError):
    """The caller is unknown: no credential, or one that does not hold."""


class TooManyAttempts(TreasurerError):
    """Asked too often; `data["retry_after_s"]` says when asking again makes sense."""


def too_many_attempts(retry_after_s: int) -> TooManyAttempts:
    """The refusal of a sign-in, a whole number of seconds before the next one is heard."""
    return TooManyAttempts(
        "TOO_MANY_ATTEMPTS",
        f"too many failed sign-ins; wait {retry_after_s} seconds, or use a login link",
        retry_after_s=retry_after_s,
    )
