"""Links in mails: looking has no effect, answering needs the person, and once is enough."""

import asyncio
import base64
from dataclasses import replace

import pytest

from policy.quorum import Choice
from tests.support.approvals import (
    CFO_AND_ONE,
    ONE_APPROVER,
    RecordingGate,
    WaitingPayment,
    approval_service,
    create_payment,
    open_request,
    rows,
)
from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization, create_organization
from treasurer.approvals.links import ApprovalLinks, issue
from treasurer.approvals.model import ApprovalRequest, RequestState
from treasurer.approvals.service import ApprovalService
from treasurer.db.engine import Database
from treasurer.kernel.digest import digest
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from treasurer.kernel.ids import UserId


class _World:
    """One open request and the services around it."""

    def __init__(
        self, database: Database, organization: TestOrganization, clock: ManualClock
    ) -> None:
        self.database, self.organization, self.clock = database, organization, clock
        self.gate = RecordingGate()
        self.approvals: ApprovalService = approval_service(database, self.gate, clock)
        self.links = ApprovalLinks(database=database, approvals=self.approvals, clock=clock)
        self.payment: WaitingPayment
        self.request: ApprovalRequest

    async def token(self, user_id: UserId) -> str:
        async with self.database.unit(self.organization.id) as connection:
            return await issue(connection, self.organization.id, self.request.id, user_id)


@pytest.fixture
async def world(database: Database, organization: TestOrganization, clock: ManualClock) -> _World:
    world = _World(database, organization, clock)
    world.payment = await create_payment(database, organization)
    world.request = await open_request(
        database, world.approvals, organization, world.payment, clock, requirement=CFO_AND_ONE
    )
    return world


async def test_looking_twenty_times_changes_nothing(world: _World) -> None:
    cfo = world.organization.cfo
    token = await world.token(cfo.user_id)
    tables = ("approval_links", "approval_requests", "votes", "audit_events")
    before = [await rows(world.database, world.organization, table) for table in tables]
    for _ in range(20):
        seen = await world.links.peek(token)
        assert seen.request == world.request
        assert seen.user_id == cfo.user_id
    after = [await rows(world.database, world.organization, table) for table in tables]
    assert after == before
    assert before[0][0]["used_at"] is None
    closed = await world.links.redeem(cfo, token, Choice.APPROVE, "")
    assert closed.vote_of(cfo.user_id) is not None


async def test_only_the_hash_is_stored(world: _World) -> None:
    token = await world.token(world.organization.cfo.user_id)
    assert len(token) == 64
    (stored,) = await rows(world.database, world.organization, "approval_links")
    raw = base64.urlsafe_b64decode(token)
    assert stored["token_hash"] == digest(raw)
    assert stored["expires_at"] == world.request.expires_at
    assert raw[16:] not in b"".join(v for v in stored.values() if isinstance(v, bytes))


async def test_another_person_cannot_answer_and_spoils_nothing(world: _World) -> None:
    cfo, approver = world.organization.cfo, world.organization.approver
    token = await world.token(cfo.user_id)
    stranger = await create_organization(world.database)
    namesake = replace(cfo, organization_id=stranger.id)
    for principal in (approver, world.organization.administrator, stranger.cfo, namesake):
        with pytest.raises(NotPermitted) as refused:
            await world.links.redeem(principal, token, Choice.APPROVE, "")
        assert refused.value.code == "LINK_NOT_YOURS"
    assert await rows(world.database, world.organization, "votes") == []
    await world.links.redeem(cfo, token, Choice.APPROVE, "")


async def test_a_link_works_once(world: _World) -> None:
    cfo = world.organization.cfo
    token = await world.token(cfo.user_id)
    await world.links.redeem(cfo, token, Choice.APPROVE, "")
    for again in (
        world.links.redeem(cfo, token, Choice.APPROVE, ""),
        world.links.redeem(cfo, token, Choice.REJECT, "changed my mind"),
        world.links.peek(token),
    ):
        with pytest.raises(Conflict) as used:
            await again
        assert used.value.code == "LINK_USED"


async def test_using_one_link_uses_up_the_persons_others(world: _World) -> None:
    cfo, approver = world.organization.cfo, world.organization.approver
    first, second = await world.token(cfo.user_id), await world.token(cfo.user_id)
    others = await world.token(approver.user_id)
    assert first != second
    await world.links.redeem(cfo, first, Choice.APPROVE, "")
    with pytest.raises(Conflict, match="LINK_USED"):
        await world.links.redeem(cfo, second, Choice.APPROVE, "")
    await world.links.redeem(approver, others, Choice.APPROVE, "")
    assert world.gate.heard == [("approved", world.payment.id)]


async def test_many_links_at_once_cast_one_vote(world: _World) -> None:
    cfo = world.organization.cfo
    tokens = [await world.token(cfo.user_id) for _ in range(5)]
    answers = await asyncio.gather(
        *(world.links.redeem(cfo, token, Choice.APPROVE, "") for token in tokens * 4),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, ApprovalRequest) for answer in answers) == 1
    refused = [answer for answer in answers if not isinstance(answer, ApprovalRequest)]
    assert {getattr(answer, "code", answer) for answer in refused} == {"LINK_USED"}
    assert len(await rows(world.database, world.organization, "votes")) == 1


async def test_a_refused_vote_leaves_the_link_usable(world: _World) -> None:
    cfo = world.organization.cfo
    token = await world.token(cfo.user_id)
    with pytest.raises(InvalidInput, match="REASON_MISSING"):
        await world.links.redeem(cfo, token, Choice.REJECT, "")
    closed = await world.links.redeem(cfo, token, Choice.REJECT, "not ordered")
    assert closed.state is RequestState.REFUSED


async def test_a_link_lapses_with_its_request(world: _World) -> None:
    cfo = world.organization.cfo
    token = await world.token(cfo.user_id)
    world.clock.advance(seconds=ONE_APPROVER.expires_in_s)
    for late in (
        world.links.peek(token),
        world.links.redeem(cfo, token, Choice.APPROVE, ""),
    ):
        with pytest.raises(Conflict) as expired:
            await late
        assert expired.value.code == "LINK_EXPIRED"


async def test_a_closed_request_gets_no_link_and_hears_no_vote_by_one(world: _World) -> None:
    cfo, approver = world.organization.cfo, world.organization.approver
    token = await world.token(approver.user_id)
    await world.approvals.vote(
        cfo, world.request.id, Choice.REJECT, "not ours", world.payment.digest
    )
    assert (await world.links.peek(token)).request.state is RequestState.REFUSED
    with pytest.raises(Conflict, match="APPROVAL_CLOSED"):
        await world.links.redeem(approver, token, Choice.APPROVE, "")
    with pytest.raises(Conflict, match="APPROVAL_CLOSED"):
        await world.token(cfo.user_id)


async def test_what_is_no_token_is_unknown(world: _World) -> None:
    token = await world.token(world.organization.cfo.user_id)
    stranger = await create_organization(world.database)
    raw = base64.urlsafe_b64decode(token)
    elsewhere = base64.urlsafe_b64encode(stranger.id.bytes + raw[16:]).decode()
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    for wrong in ("", "x", token[:-4], token + "AAAA", changed, elsewhere, "ж" * 64, "!" * 64):
        with pytest.raises(NotFound) as unknown:
            await world.links.peek(wrong)
        assert unknown.value.code == "LINK_UNKNOWN"
