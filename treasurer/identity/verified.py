"""Owns the short memory of tokens that were verified. Must never outlive a revocation by more than
`REMEMBERED`: a session revoked in this process is forgotten at once, one revoked elsewhere by then.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from treasurer.identity.tokens import TokenClaims, TokenUse
from treasurer.kernel.clock import Clock
from treasurer.kernel.digest import digest
from treasurer.kernel.organization import Principal

REMEMBERED = timedelta(seconds=3)
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Verified:
    """A token's claims, and the principal that its session had when it was looked up."""

    claims: TokenClaims
    principal: Principal


class VerifiedTokens:
    """Keyed by the token's hash, so that a dump of memory holds no token in use."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: OrderedDict[tuple[TokenUse, bytes], tuple[Verified, datetime]] = (
            OrderedDict()
        )
        self._looking: dict[tuple[TokenUse, bytes], asyncio.Future[Verified]] = {}

    def find(self, token: str, use: TokenUse) -> Verified | None:
        """What was remembered for this use of the token, unless its time has run out."""
        entry = self._entries.get((use, digest(token.encode())))
        if entry is None:
            return None
        verified, until = entry
        return verified if self._clock() < until else None

    async def look_up(
        self, token: str, use: TokenUse, verify: Callable[[], Awaitable[Verified]]
    ) -> Verified:
        """What `verify` finds, remembered. Whoever asks for the same meanwhile shares the answer."""
        key = (use, digest(token.encode()))
        looking = self._looking.get(key)
        if looking is None:
            looking = asyncio.ensure_future(verify())
            self._looking[key] = looking
            looking.add_done_callback(lambda done: self._looked(key, done))
        # One of those who wait may go away; the others still want the answer.
        return await asyncio.shield(looking)

    def _looked(self, key: tuple[TokenUse, bytes], looked: "asyncio.Future[Verified]") -> None:
        # Not its own any more when the session ended meanwhile: what it found may be older.
        if self._looking.get(key) is not looked:
            return
        del self._looking[key]
        if not looked.cancelled() and looked.exception() is None:
            self._remember(key, looked.result())

    def _remember(self, key: tuple[TokenUse, bytes], verified: Verified) -> None:
        """Keep it for REMEMBERED, but not past the token's own end."""
        until = min(self._clock() + REMEMBERED, verified.claims.expires_at)
        self._entries[key] = (verified, until)
        self._entries.move_to_end(key)
        while len(self._entries) > _MOST:
            self._entries.popitem(last=False)

    def forget_session(self, session_id: UUID) -> None:
        """Drop every token of a session, and whatever is being looked up."""
        for key in [
            key
            for key, (verified, _) in self._entries.items()
            if verified.claims.session_id == session_id
        ]:
            del self._entries[key]
        self._looking.clear()
