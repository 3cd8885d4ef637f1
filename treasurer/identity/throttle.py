"""Owns how often a sign-in may fail. Must never lock a person out by failures from elsewhere alone.

Few failures are allowed from one place; many more over all places, so that a guesser spread over
many addresses is stopped too. Login links and open sessions work on throughout.
"""

from treasurer.identity.counters import WindowCounters
from treasurer.identity.errors import too_many_attempts
from treasurer.kernel.digest import digest

WINDOW_S = 900
FAILURES_FROM_ONE_PLACE = 5
FAILURES_IN_ALL = 50


class SignInThrottle:
    def __init__(self, counters: WindowCounters) -> None:
        self._counters = counters

    async def attempt(self, email: str, address: str) -> None:
        """Count an attempt before its password is looked at, so that parallel guesses count too.

        Raises TooManyAttempts with the seconds to wait, whether the password would fit or not.
        """
        for name, allowed in (
            (_place(email, address), FAILURES_FROM_ONE_PLACE),
            (_account(email), FAILURES_IN_ALL),
        ):
            counted = await self._counters.count(name, window_s=WINDOW_S)
            if counted and counted.count > allowed:
                raise too_many_attempts(counted.ends_in_s)

    async def succeeded(self, email: str, address: str) -> None:
        """Forget this place's failures: its next mistake is the first again.

        Of the failures over all places only this attempt is taken back, for it was none.
        """
        await self._counters.forget(_place(email, address), window_s=WINDOW_S)
        await self._counters.take_back(_account(email), window_s=WINDOW_S)


def _account(email: str) -> str:
    return f"sign-in:{digest(email.strip().lower().encode()).hex()[:32]}"


def _place(email: str, address: str) -> str:
    return f"{_account(email)}:{address}"
