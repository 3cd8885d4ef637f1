"""Voting for somebody who is away: whose roles count, for how long, and never for a maker."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from policy.decision import ApprovalRequirement, RoleQuorum
from policy.quorum import Choice
from tests.support.approvals import (
    RecordingGate,
    WaitingPayment,
    approval_service,
    create_payment,
    open_request,
    rows,
)
from tests.support.clock import ManualClock
from tests.support.notifications import queued_jobs
from tests.support.organization import TestOrganization
from treasurer.approvals.delegations import Delegations
from treasurer.approvals.model import ApprovalRequest, RequestState
from treasurer.approvals.service import ApprovalService
from treasurer.db.engine import Database
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from treasurer.kernel.ids import UserId
from treasurer.kernel.organization import Principal

CFO = ApprovalRequirement((RoleQuorum(("cfo",), 1),), 72 * 3600)
TWO = ApprovalRequirement((RoleQuorum(("approver", "cfo"), 2),), 72 * 3600)
WEEK = timedelta(days=7)


class World:
    """An organization's approvals with a payment that waits."""

    def __init__(
        self,
        database: Database,
        organization: TestOrganization,
        clock: ManualClock,
        payment: WaitingPayment,
    ) -> None:
        self.database, self.organization, self.clock = database, organization, clock
        self.payment, self.gate = payment, RecordingGate()
        self.approvals: ApprovalService = approval_service(database, self.gate, clock)
        self.delegations = Delegations(database=database, clock=clock, new_id=uuid7)

    async def ask(
        self, requirement: ApprovalRequirement, *, requester: UserId | None = None, **more: object
    ) -> ApprovalRequest:
        return await open_request(
            self.database,
            self.approvals,
            self.organization,
            self.payment,
            self.clock,
            requirement=requirement,
            requester=requester,
            **more,  # type: ignore[arg-type]
        )

    async def lend(self, giver: Principal, taker: Principal) -> None:
        await self.delegations.delegate(giver, taker.user_id, ends_at=self.clock() + WEEK)

    async def vote(
        self,
        who: Principal,
        request: ApprovalRequest,
        *,
        for_: Principal | None = None,
        choice: Choice = Choice.APPROVE,
    ) -> ApprovalRequest:
        return await self.approvals.vote(
            who,
            request.id,
            choice,
            "because",
            self.payment.digest,
            for_user_id=for_.user_id if for_ else None,
        )

    async def refused(
        self, who: Principal, request: ApprovalRequest, *, for_: Principal | None = None
    ) -> str:
        with pytest.raises((NotPermitted, Conflict)) as refusal:
            await self.vote(who, request, for_=for_)
        return str(refusal.value.code)


@pytest.fixture
async def world(database: Database, organization: TestOrganization, clock: ManualClock) -> World:
    return World(database, organization, clock, await create_payment(database, organization))


async def test_a_delegate_votes_with_the_delegators_roles(world: World) -> None:
    people = world.organization
    request = await world.ask(CFO)
    assert await world.refused(people.approver, request) == "ROLE_NOT_ASKED"
    assert await world.refused(people.approver, request, for_=people.cfo) == "NOT_DELEGATED"
    await world.lend(people.cfo, people.approver)
    (lender,) = await world.approvals.voted_for(people.approver, request)
    assert lender.id == people.cfo.user_id
    closed = await world.vote(people.approver, request, for_=people.cfo)
    assert closed.state is RequestState.APPROVED
    (vote,) = await rows(world.database, people, "votes")
    assert (vote["user_id"], vote["delegator_id"], vote["roles"]) == (
        people.approver.user_id,
        people.cfo.user_id,
        ["cfo"],
    )


async def test_voter_and_delegator_are_one_human(world: World) -> None:
    people = world.organization
    await world.lend(people.cfo, people.approver)
    request = await world.ask(TWO)
    await world.vote(people.approver, request, for_=people.cfo)
    assert await world.refused(people.cfo, request) == "VOTE_REPRESENTED"
    assert await world.refused(people.approver, request) == "ALREADY_VOTED"
    closed = await world.vote(people.second_approver, request)
    assert closed.state is RequestState.APPROVED


async def test_who_voted_is_not_voted_for(world: World) -> None:
    people = world.organization
    await world.lend(people.cfo, people.approver)
    await world.lend(people.cfo, people.second_approver)
    request = await world.ask(TWO)
    await world.vote(people.approver, request, for_=people.cfo)
    code = await world.refused(people.second_approver, request, for_=people.cfo)
    assert code == "VOTE_REPRESENTED"
    other = await world.ask(TWO)
    await world.vote(people.cfo, other)
    assert await world.refused(people.approver, other, for_=people.cfo) == "VOTE_REPRESENTED"
    assert world.gate.heard == []


@pytest.mark.parametrize("maker", ["requester", "barred"])
async def test_a_maker_gains_nothing_by_any_path(world: World, maker: str) -> None:
    people = world.organization
    cfo = people.cfo
    await world.lend(cfo, people.approver)
    await world.lend(people.approver, cfo)
    await world.lend(people.approver, people.second_approver)
    request = (
        await world.ask(TWO, requester=cfo.user_id)
        if maker == "requester"
        else await world.ask(TWO, barred=(cfo.user_id,))
    )
    assert await world.refused(cfo, request) == "MAKER_IS_CHECKER"
    assert await world.refused(cfo, request, for_=people.approver) == "MAKER_IS_CHECKER"
    assert await world.refused(people.approver, request, for_=cfo) == "MAKER_IS_CHECKER"
    # What the approver was lent is not theirs to lend on.
    assert await world.refused(people.second_approver, request, for_=cfo) == "NOT_DELEGATED"
    # Whom the maker delegated to still has their own vote.
    assert (await world.vote(people.approver, request)).state is RequestState.OPEN
    assert world.gate.heard == []


async def test_what_was_lent_is_not_lent_on(world: World) -> None:
    people = world.organization
    await world.lend(people.cfo, people.approver)
    await world.lend(people.approver, people.second_approver)
    request = await world.ask(CFO)
    code = await world.refused(people.second_approver, request, for_=people.approver)
    assert code == "ROLE_NOT_ASKED"
    assert await world.refused(people.second_approver, request, for_=people.cfo) == "NOT_DELEGATED"


async def test_a_delegation_has_its_time(world: World) -> None:
    people, now = world.organization, world.clock()
    await world.delegations.delegate(
        people.cfo,
        people.approver.user_id,
        starts_at=now + timedelta(hours=1),
        ends_at=now + timedelta(hours=2),
    )
    for hours, code in ((0, "NOT_DELEGATED"), (1, None), (2, "NOT_DELEGATED")):
        world.clock.now = now + timedelta(hours=hours)
        request = await world.ask(TWO)
        if code:
            assert await world.refused(people.approver, request, for_=people.cfo) == code
        else:
            await world.vote(people.approver, request, for_=people.cfo)


async def test_a_revoked_delegation_and_a_delegator_who_left_lend_nothing(world: World) -> None:
    people = world.organization
    await world.lend(people.cfo, people.approver)
    (given,) = await world.delegations.of(people.cfo)
    with pytest.raises(NotFound):
        await world.delegations.revoke(people.approver, given.id)
    await world.delegations.revoke(people.cfo, given.id)
    request = await world.ask(TWO)
    assert await world.refused(people.approver, request, for_=people.cfo) == "NOT_DELEGATED"
    await world.lend(people.cfo, people.approver)
    async with world.database.unit(people.id) as connection:
        await connection.execute(
            text("UPDATE users SET state = 'disabled' WHERE id = :id"), {"id": people.cfo.user_id}
        )
    assert await world.refused(people.approver, request, for_=people.cfo) == "NOT_DELEGATED"
    kinds = [row["kind"] for row in await rows(world.database, people, "audit_events")]
    assert kinds.count("approval.delegated") == 2
    assert kinds.count("approval.delegation_revoked") == 1


async def test_what_no_delegation_may_be(world: World) -> None:
    people, now = world.organization, world.clock()
    for giver, taker, ends_at, code in (
        (people.cfo, people.cfo, now + WEEK, "DELEGATE_SELF"),
        (people.cfo, people.clerk, now + WEEK, "DELEGATE_NOT_APPROVER"),
        (people.cfo, people.agent, now + WEEK, "DELEGATE_NOT_APPROVER"),
        (people.cfo, people.service, now + WEEK, "DELEGATE_NOT_APPROVER"),
        (people.cfo, people.approver, now, "DELEGATION_PERIOD"),
        (people.cfo, people.approver, now + timedelta(days=91), "DELEGATION_PERIOD"),
        (people.clerk, people.approver, now + WEEK, "PERMISSION_MISSING"),
        (people.agent, people.approver, now + WEEK, "APPROVER_NOT_HUMAN"),
    ):
        with pytest.raises((InvalidInput, NotPermitted)) as refusal:
            await world.delegations.delegate(giver, taker.user_id, ends_at=ends_at)
        assert refusal.value.code == code
    assert await world.delegations.of(people.cfo) == []


async def test_the_delegate_is_asked_by_mail_too(world: World) -> None:
    people = world.organization
    await world.ask(CFO)
    before = len(await queued_jobs(world.database, people))
    await world.lend(people.cfo, people.approver)
    await world.ask(CFO)
    mails = await rows(world.database, people, "notifications")
    recipients = {str(mail["recipient"]) for mail in mails}
    assert before == 1
    assert recipients == {people.email("cfo"), people.email("approver")}
