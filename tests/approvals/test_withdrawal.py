"""Taking a vote back: before the quorum, after it, and not once the money is reserved."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from policy.quorum import Choice
from tests.support.approvals import (
    CFO_AND_ONE,
    RecordingGate,
    WaitingPayment,
    open_request,
    payment_state,
    rows,
)
from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization
from treasurer.approvals.model import RequestState
from treasurer.approvals.service import ApprovalService
from treasurer.db.engine import Database
from treasurer.kernel.errors import Conflict, NotPermitted


async def test_a_withdrawn_vote_counts_no_more_and_may_be_given_again(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    gate: RecordingGate,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    request = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )
    approver, cfo = organization.approver, organization.cfo
    await approvals.vote(approver, request.id, Choice.APPROVE, "", payment.digest)
    clock.advance(seconds=60)
    withdrawn = await approvals.withdraw(approver, request.id)
    assert (withdrawn.state, withdrawn.counted(clock())) == (RequestState.OPEN, ())
    assert withdrawn.votes[0].withdrawn_at == clock()
    assert await approvals.withdraw(approver, request.id) == withdrawn
    await approvals.vote(cfo, request.id, Choice.APPROVE, "", payment.digest)
    assert gate.heard == []
    again = await approvals.vote(approver, request.id, Choice.APPROVE, "", payment.digest)
    assert again.state is RequestState.APPROVED
    assert gate.heard == [("approved", payment.id)]
    votes = await rows(database, organization, "votes")
    mine = sorted(vote["round"] for vote in votes if vote["user_id"] == approver.user_id)
    assert mine == [1, 2]


async def test_after_a_withdrawal_one_may_reject(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    gate: RecordingGate,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    request = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )
    approver = organization.approver
    await approvals.vote(approver, request.id, Choice.APPROVE, "", payment.digest)
    with pytest.raises(Conflict) as second:
        await approvals.vote(approver, request.id, Choice.REJECT, "no", payment.digest)
    assert second.value.code == "ALREADY_VOTED"
    await approvals.withdraw(approver, request.id)
    closed = await approvals.vote(approver, request.id, Choice.REJECT, "no", payment.digest)
    assert closed.state is RequestState.REFUSED
    with pytest.raises(Conflict) as late:
        await approvals.withdraw(approver, request.id)
    assert late.value.code == "NO_VOTE"
    assert gate.heard == [("denied", payment.id)]


async def test_after_the_quorum_the_payment_waits_again_with_the_other_votes(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    gate: RecordingGate,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    request = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )
    for principal in (organization.approver, organization.cfo):
        await approvals.vote(principal, request.id, Choice.APPROVE, "", payment.digest)
    clock.advance(seconds=60)
    successor = await approvals.withdraw(organization.approver, request.id)
    assert successor.id != request.id
    assert (successor.state, successor.expires_at) == (RequestState.OPEN, request.expires_at)
    assert [vote.user_id for vote in successor.counted(clock())] == [organization.cfo.user_id]
    assert await payment_state(database, organization, payment.id) == "awaiting_approval"
    async with database.unit(organization.id) as connection:
        standing = await approvals.votes_for(
            connection, organization.id, payment.id, payment.digest, clock()
        )
    assert standing == []
    closed = await approvals.vote(
        organization.second_approver, successor.id, Choice.APPROVE, "", payment.digest
    )
    assert closed.state is RequestState.APPROVED
    assert [what for what, _ in gate.heard] == ["approved", "reopened", "approved"]
    with pytest.raises(Conflict) as old:
        await approvals.withdraw(organization.cfo, request.id)
    assert old.value.code == "APPROVAL_CLOSED"


async def test_once_the_payment_is_reserved_votes_stand(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    request = await open_request(database, approvals, organization, payment, clock)
    await approvals.vote(organization.cfo, request.id, Choice.APPROVE, "", payment.digest)
    async with database.unit(organization.id) as connection:
        await connection.execute(
            text("UPDATE payments SET state = 'executing' WHERE id = :id"), {"id": payment.id}
        )
    with pytest.raises(Conflict) as late:
        await approvals.withdraw(organization.cfo, request.id)
    assert late.value.code == "PAYMENT_UNDER_WAY"
    assert await rows(database, organization, "vote_withdrawals") == []


async def test_who_has_no_vote_has_none_to_take_back(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    request = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )
    await approvals.vote(organization.approver, request.id, Choice.APPROVE, "", payment.digest)
    with pytest.raises(Conflict) as other:
        await approvals.withdraw(organization.cfo, request.id)
    assert other.value.code == "NO_VOTE"
    with pytest.raises(NotPermitted):
        await approvals.withdraw(organization.clerk, request.id)


async def test_votes_and_withdrawals_at_once_leave_one_vote_or_none(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    request = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )
    approver = organization.approver

    async def vote() -> None:
        await approvals.vote(approver, request.id, Choice.APPROVE, "", payment.digest)

    async def withdraw() -> None:
        try:
            await approvals.withdraw(approver, request.id)
        except Conflict as error:
            assert error.code == "NO_VOTE"

    await asyncio.gather(*(action() for _ in range(10) for action in (vote, withdraw)))
    found = await approvals.get(approver, request.id)
    assert len(found.counted(clock())) <= 1
    rounds = [vote.round for vote in found.votes]
    assert sorted(rounds) == list(range(1, len(rounds) + 1))
    assert sum(vote.withdrawn_at is None for vote in found.votes) <= 1


async def test_the_database_grants_no_second_standing_vote(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    """I14, whatever a caller forgets: the next round wants the withdrawal of the one before."""
    request = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )
    approver = organization.approver
    await approvals.vote(approver, request.id, Choice.APPROVE, "", payment.digest)
    for statement, refused in (
        (_AGAIN.format(round=1), "duplicate key"),
        (_AGAIN.format(round=2), "foreign key"),
        ("UPDATE votes SET choice = 'reject'", "permission denied"),
        ("DELETE FROM votes", "permission denied"),
        ("DELETE FROM vote_withdrawals", "permission denied"),
    ):
        with pytest.raises(DBAPIError, match=refused):
            async with database.unit(organization.id) as connection:
                await connection.execute(text(statement))


_AGAIN = """INSERT INTO votes (organization_id, approval_request_id, user_id, user_kind, roles,
    choice, order_digest, voted_at, round)
    SELECT organization_id, approval_request_id, user_id, user_kind, roles, choice, order_digest,
           voted_at, {round} FROM votes"""
