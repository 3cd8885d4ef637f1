"""Who may vote, on what, how often, and what the payment hears."""

import asyncio

import pytest
from sqlalchemy import text

from policy.decision import ApprovalRequirement, RoleQuorum
from policy.quorum import Choice
from tests.support.approvals import (
    CFO_AND_ONE,
    ONE_APPROVER,
    RecordingGate,
    WaitingPayment,
    approval_service,
    create_payment,
    open_request,
    payment_state,
    rows,
)
from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization, create_organization
from treasurer.approvals.model import RequestState
from treasurer.approvals.service import ApprovalService
from treasurer.db.engine import Database
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted, TreasurerError
from treasurer.kernel.organization import Principal, PrincipalKind, Role


async def test_one_approval_meets_a_quorum_of_one(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    gate: RecordingGate,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    request = await open_request(database, approvals, organization, payment, clock)
    closed = await approvals.vote(
        organization.approver, request.id, Choice.APPROVE, " fine ", payment.digest
    )
    assert closed.state is RequestState.APPROVED
    assert closed.closed_at == clock()
    assert gate.heard == [("approved", payment.id)]
    assert await payment_state(database, organization, payment.id) == "approved"
    (vote,) = await rows(database, organization, "votes")
    assert vote["user_id"] == organization.approver.user_id
    assert (vote["choice"], vote["reason"], vote["roles"]) == ("approve", "fine", ["approver"])
    assert vote["order_digest"] == payment.digest
    assert await approvals.get(organization.clerk, request.id) == closed


async def test_two_people_of_whom_one_is_the_cfo(
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
    for principal in (organization.approver, organization.second_approver):
        still = await approvals.vote(principal, request.id, Choice.APPROVE, "", payment.digest)
        assert still.state is RequestState.OPEN
    assert gate.heard == []
    assert still.quorum(CFO_AND_ONE, clock()).missing == (RoleQuorum(("cfo",), 1),)
    closed = await approvals.vote(organization.cfo, request.id, Choice.APPROVE, "", payment.digest)
    assert closed.state is RequestState.APPROVED
    assert gate.heard == [("approved", payment.id)]


async def test_the_cfo_alone_fills_one_seat_of_two(
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
    for _ in range(2):
        still = await approvals.vote(
            organization.cfo, request.id, Choice.APPROVE, "", payment.digest
        )
    assert still.state is RequestState.OPEN
    assert gate.heard == []


async def test_one_rejection_refuses_and_needs_a_reason(
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
    await approvals.vote(organization.cfo, request.id, Choice.APPROVE, "", payment.digest)
    with pytest.raises(InvalidInput) as missing:
        await approvals.vote(
            organization.approver, request.id, Choice.REJECT, "  \n", payment.digest
        )
    assert missing.value.code == "REASON_MISSING"
    closed = await approvals.vote(
        organization.approver, request.id, Choice.REJECT, "wrong supplier", payment.digest
    )
    assert closed.state is RequestState.REFUSED
    assert gate.heard == [("denied", payment.id)]
    assert gate.reasons == ["wrong supplier"]
    with pytest.raises(Conflict) as late:
        await approvals.vote(
            organization.second_approver, request.id, Choice.APPROVE, "", payment.digest
        )
    assert late.value.code == "APPROVAL_CLOSED"


async def test_a_vote_binds_the_digest_that_the_voter_saw(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    gate: RecordingGate,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    request = await open_request(database, approvals, organization, payment, clock)
    other = await create_payment(database, organization, amount_minor=4_150_000_001)
    for choice in Choice:
        with pytest.raises(Conflict) as wrong:
            await approvals.vote(organization.cfo, request.id, choice, "seen", other.digest)
        assert wrong.value.code == "APPROVAL_DIGEST_MISMATCH"
    assert await rows(database, organization, "votes") == []
    assert gate.heard == []


async def test_the_last_second_counts_and_the_next_does_not(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    gate: RecordingGate,
    clock: ManualClock,
) -> None:
    expires_in_s = ONE_APPROVER.expires_in_s
    for wait, code in ((expires_in_s - 1, None), (expires_in_s, "APPROVAL_EXPIRED")):
        payment = await create_payment(database, organization)
        request = await open_request(database, approvals, organization, payment, clock)
        clock.advance(seconds=wait)
        try:
            await approvals.vote(organization.cfo, request.id, Choice.APPROVE, "", payment.digest)
            refused = None
        except Conflict as error:
            refused = error.code
        assert refused == code
    assert len(gate.heard) == 1


async def test_who_may_not_vote(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    gate: RecordingGate,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    request = await open_request(
        database,
        approvals,
        organization,
        payment,
        clock,
        requirement=ApprovalRequirement((RoleQuorum(("cfo",), 1),), 3600),
        requester=organization.cfo.user_id,
        barred=(organization.second_approver.user_id,),
    )
    stranger = await create_organization(database)
    agent = Principal(
        organization.id, organization.agent.user_id, PrincipalKind.AGENT, frozenset({Role.CFO})
    )
    service = Principal(
        organization.id, organization.service.user_id, PrincipalKind.SERVICE, frozenset({Role.CFO})
    )
    expected: list[tuple[Principal, type[TreasurerError], str]] = [
        (organization.clerk, NotPermitted, "PERMISSION_MISSING"),
        (organization.administrator, NotPermitted, "PERMISSION_MISSING"),
        (organization.auditor, NotPermitted, "PERMISSION_MISSING"),
        (agent, NotPermitted, "APPROVER_NOT_HUMAN"),
        (service, NotPermitted, "APPROVER_NOT_HUMAN"),
        (organization.cfo, NotPermitted, "MAKER_IS_CHECKER"),
        (organization.second_approver, NotPermitted, "MAKER_IS_CHECKER"),
        (organization.approver, NotPermitted, "ROLE_NOT_ASKED"),
        (stranger.cfo, NotFound, "APPROVAL_UNKNOWN"),
    ]
    for choice in Choice:
        for principal, kind, code in expected:
            with pytest.raises(kind) as refusal:
                await approvals.vote(principal, request.id, choice, "because", payment.digest)
            assert (refusal.value.code, principal) == (code, principal)
    assert await rows(database, organization, "votes") == []
    assert gate.heard == []


async def test_fifty_votes_at_once_by_one_person_are_one(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    gate: RecordingGate,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    for requirement, heard in ((CFO_AND_ONE, 0), (ONE_APPROVER, 1)):
        payment = await create_payment(database, organization)
        request = await open_request(
            database, approvals, organization, payment, clock, requirement=requirement
        )
        answers = await asyncio.gather(
            *(
                approvals.vote(organization.cfo, request.id, Choice.APPROVE, "", payment.digest)
                for _ in range(50)
            )
        )
        assert {answer.id for answer in answers} == {request.id}
        votes = await rows(database, organization, "votes")
        assert sum(vote["approval_request_id"] == request.id for vote in votes) == 1
        assert len(gate.heard) == heard


async def test_five_hundred_votes_of_one_person_are_one_vote(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    gate: RecordingGate,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    """I14: all at once, over as many connections as the pool has."""
    request = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )
    cfo = organization.cfo
    answers = await asyncio.gather(
        *(approvals.vote(cfo, request.id, Choice.APPROVE, "", payment.digest) for _ in range(500))
    )
    assert {(answer.state, len(answer.votes)) for answer in answers} == {(RequestState.OPEN, 1)}
    (vote,) = await rows(database, organization, "votes")
    assert (vote["user_id"], vote["round"]) == (cfo.user_id, 1)
    voted = [
        e
        for e in await rows(database, organization, "audit_events")
        if e["kind"] == "approval.voted"
    ]
    assert len(voted) == 1
    assert gate.heard == []


async def test_fifty_contradicting_votes_at_once_leave_one_answer(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    gate: RecordingGate,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    request = await open_request(database, approvals, organization, payment, clock)
    answers = await asyncio.gather(
        *(
            approvals.vote(
                organization.cfo,
                request.id,
                Choice.APPROVE if turn % 2 else Choice.REJECT,
                "mind made up",
                payment.digest,
            )
            for turn in range(50)
        ),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert len(refused) == 25
    assert {error.code for error in refused} == {"ALREADY_VOTED"}
    assert len(await rows(database, organization, "votes")) == 1
    assert len(gate.heard) == 1


async def test_everybody_at_once_is_heard_once(
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
    voters = (organization.cfo, organization.approver, organization.second_approver)
    await asyncio.gather(
        *(
            approvals.vote(voter, request.id, Choice.APPROVE, "", payment.digest)
            for voter in voters
        ),
        return_exceptions=True,
    )
    assert gate.heard == [("approved", payment.id)]


async def test_the_same_vote_is_answered_alike_after_the_close(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    gate: RecordingGate,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    request = await open_request(database, approvals, organization, payment, clock)
    first = await approvals.vote(organization.cfo, request.id, Choice.APPROVE, "", payment.digest)
    clock.advance(days=30)
    again = await approvals.vote(organization.cfo, request.id, Choice.APPROVE, "", payment.digest)
    assert again == first
    assert len(gate.heard) == 1


async def test_a_gate_that_fails_takes_the_vote_with_it(
    database: Database,
    organization: TestOrganization,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    class BrokenGate(RecordingGate):
        async def approved(self, *args: object, **kwargs: object) -> None:
            raise Conflict("PAYMENT_GONE", "the payment is not waiting")

    approvals = approval_service(database, BrokenGate(), clock)
    request = await open_request(database, approvals, organization, payment, clock)
    with pytest.raises(Conflict, match="PAYMENT_GONE"):
        await approvals.vote(organization.cfo, request.id, Choice.APPROVE, "", payment.digest)
    assert await rows(database, organization, "votes") == []
    assert (await approvals.get(organization.cfo, request.id)).state is RequestState.OPEN


async def test_the_record_tells_who_and_why(
    database: Database,
    organization: TestOrganization,
    approvals: ApprovalService,
    payment: WaitingPayment,
    clock: ManualClock,
) -> None:
    request = await open_request(database, approvals, organization, payment, clock)
    await approvals.vote(
        organization.approver, request.id, Choice.REJECT, "not ours", payment.digest
    )
    async with database.unit(organization.id) as connection:
        found = await connection.execute(
            text(
                "SELECT version, kind, actor_id, payload FROM audit_events"
                " WHERE organization_id = :org AND aggregate_id = :id ORDER BY version"
            ),
            {"org": organization.id, "id": request.id},
        )
        events = [tuple(row) for row in found]
    actor = organization.approver.user_id
    assert [event[:3] for event in events] == [
        (1, "approval.requested", None),
        (2, "approval.voted", actor),
        (3, "approval.refused", actor),
    ]
    assert events[0][3] == {
        "payment_id": str(payment.id),
        "order_digest": payment.digest.hex(),
        "requirement": {
            "groups": [{"roles": ["approver", "cfo"], "count": 1}],
            "expires_in_s": 259200,
        },
        "expires_at": "2026-11-25T10:00:00.000000Z",
        "eligible": 3,
    }
    assert events[1][3]["reason"] == "not ours"
