"""A token that many requests carry is looked up once, and never outlives its session here."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.support.clock import START, ManualClock
from treasurer.identity.errors import NotAuthenticated
from treasurer.identity.tokens import TokenClaims, TokenUse
from treasurer.identity.verified import Verified, VerifiedTokens
from treasurer.kernel.ids import OrganizationId, UserId
from treasurer.kernel.organization import Principal, PrincipalKind


def verified() -> Verified:
    organization_id, user_id = OrganizationId(uuid4()), UserId(uuid4())
    return Verified(
        TokenClaims(
            organization_id, user_id, uuid4(), TokenUse.ACCESS, uuid4(), START + timedelta(hours=1)
        ),
        Principal(organization_id, user_id, PrincipalKind.HUMAN, frozenset()),
    )


class LookUp:
    """Answers with `found` when it is let through, or refuses."""

    def __init__(self, found: Verified | NotAuthenticated) -> None:
        self.found = found
        self.asked = 0
        self.gate = asyncio.Event()

    async def __call__(self) -> Verified:
        self.asked += 1
        await self.gate.wait()
        if isinstance(self.found, NotAuthenticated):
            raise self.found
        return self.found


async def test_those_who_ask_together_share_one_look_up() -> None:
    tokens, known = VerifiedTokens(ManualClock()), verified()
    look_up = LookUp(known)
    asking = [asyncio.create_task(tokens.look_up("t", TokenUse.ACCESS, look_up)) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()  # who began it goes away; the others get their answer
    look_up.gate.set()
    assert await asyncio.gather(*asking[1:]) == [known, known]
    assert look_up.asked == 1
    assert tokens.find("t", TokenUse.ACCESS) is known
    assert tokens.find("t", TokenUse.BROWSER) is None


async def test_a_refusal_is_not_remembered() -> None:
    tokens = VerifiedTokens(ManualClock())
    look_up = LookUp(NotAuthenticated("SESSION_ENDED", "sign in again"))
    look_up.gate.set()
    for asked in (1, 2):
        with pytest.raises(NotAuthenticated):
            await tokens.look_up("t", TokenUse.ACCESS, look_up)
        assert look_up.asked == asked
    assert tokens.find("t", TokenUse.ACCESS) is None


async def test_what_was_looked_up_before_a_session_ended_is_not_believed_after() -> None:
    tokens, known = VerifiedTokens(ManualClock()), verified()
    before, after = LookUp(known), LookUp(NotAuthenticated("SESSION_ENDED", "sign in again"))
    early = asyncio.create_task(tokens.look_up("t", TokenUse.ACCESS, before))
    await asyncio.sleep(0)
    tokens.forget_session(known.claims.session_id)
    late = asyncio.create_task(tokens.look_up("t", TokenUse.ACCESS, after))
    await asyncio.sleep(0)
    before.gate.set()
    after.gate.set()
    assert await early is known
    with pytest.raises(NotAuthenticated):
        await late
    assert tokens.find("t", TokenUse.ACCESS) is None
