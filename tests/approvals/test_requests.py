"""Opening, superseding, continuing and expiring requests, and what reserve sees of them."""

from sqlalchemy import text
from uuid_utils.compat import uuid7

from policy.decision import ApprovalRequirement, RoleQuorum
from policy.quorum import Choice
from tests.support.approvals import (
    CFO_AND_ONE,
    ONE_APPROVER,
    RecordingGate,
    approval_service,
    create_payment,
    open_request,
    payment_state,
    rows,
)
from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization, create_organization
from treasurer.approvals.model import RequestState
from treasurer.db.engine import Database
from treasurer.kernel.ids import UserId


async def test_a_new_request_supersedes_the_open_one(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    approvals = approval_service(database, RecordingGate(), clock)
    payment = await create_payment(database, organization)
    first = await open_request(database, approvals, organization, payment, clock)
    second = await open_request(database, approvals, organization, payment, clock)
    assert (await approvals.get(organization.cfo, first.id)).state is RequestState.SUPERSEDED
    assert await approvals.page_open(organization.cfo) == [second]
    assert await approvals.newest(organization.cfo, payment.id) == second


async def test_open_requests_come_in_pages_and_only_to_their_organization(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    approvals = approval_service(database, RecordingGate(), clock)
    opened = [
        await open_request(
            database, approvals, organization, await create_payment(database, organization), clock
        )
        for _ in range(5)
    ]
    first = await approvals.page_open(organization.approver, most=2)
    rest = await approvals.page_open(organization.approver, before=first[-1].id)
    assert [request.id for request in first + rest] == [r.id for r in reversed(opened)]
    stranger = await create_organization(database)
    assert await approvals.page_open(stranger.cfo) == []


async def test_a_stricter_policy_keeps_the_votes_that_stand(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    gate = RecordingGate()
    approvals = approval_service(database, gate, clock)
    payment = await create_payment(database, organization)
    first = await open_request(database, approvals, organization, payment, clock)
    await approvals.vote(organization.approver, first.id, Choice.APPROVE, "", payment.digest)
    clock.advance(hours=10)
    second = await open_request(
        database,
        approvals,
        organization,
        payment,
        clock,
        requirement=CFO_AND_ONE,
        inherit_votes=True,
    )
    assert second.state is RequestState.OPEN
    assert [vote.user_id for vote in second.counted(clock())] == [organization.approver.user_id]
    closed = await approvals.vote(organization.cfo, second.id, Choice.APPROVE, "", payment.digest)
    assert closed.state is RequestState.APPROVED
    async with database.unit(organization.id) as connection:
        votes = await approvals.votes_for(
            connection, organization.id, payment.id, payment.digest, clock()
        )
        # The first vote counts as long as the request on which it was cast, not as the second.
        later = await approvals.votes_for(
            connection, organization.id, payment.id, payment.digest, first.expires_at
        )
    assert {vote.user_id for vote in votes} == {
        organization.approver.user_id,
        organization.cfo.user_id,
    }
    assert [vote.user_id for vote in later] == [organization.cfo.user_id]


async def test_votes_that_suffice_approve_at_once(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    gate = RecordingGate()
    approvals = approval_service(database, gate, clock)
    payment = await create_payment(database, organization)
    first = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )
    await approvals.vote(organization.cfo, first.id, Choice.APPROVE, "", payment.digest)
    milder = await open_request(
        database, approvals, organization, payment, clock, inherit_votes=True
    )
    assert milder.state is RequestState.APPROVED
    assert gate.heard == [("approved", payment.id)]


async def test_votes_are_not_carried_without_being_asked_nor_to_other_bytes(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    gate = RecordingGate()
    approvals = approval_service(database, gate, clock)
    payment = await create_payment(database, organization)
    other = await create_payment(database, organization, amount_minor=1)
    first = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )
    await approvals.vote(organization.cfo, first.id, Choice.APPROVE, "", payment.digest)
    changed = type(payment)(payment.id, payment.invoice_id, other.order)
    for subject, inherit in ((payment, False), (changed, True), (changed, True)):
        request = await open_request(
            database, approvals, organization, subject, clock, inherit_votes=inherit
        )
        assert request.state is RequestState.OPEN
        assert request.votes == ()
    # Back at the first bytes: the request that wanted no old votes stands between.
    request = await open_request(
        database, approvals, organization, payment, clock, inherit_votes=True
    )
    assert request.votes == ()
    assert gate.heard == []


async def test_carried_votes_leave_out_the_newly_barred_and_the_expired(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    approvals = approval_service(database, RecordingGate(), clock)
    payment = await create_payment(database, organization)
    first = await open_request(
        database,
        approvals,
        organization,
        payment,
        clock,
        requirement=ApprovalRequirement((RoleQuorum(("approver", "cfo"), 3),), 3600),
    )
    await approvals.vote(organization.cfo, first.id, Choice.APPROVE, "", payment.digest)
    await approvals.vote(organization.approver, first.id, Choice.APPROVE, "", payment.digest)
    clock.advance(seconds=3599)
    barred = (organization.approver.user_id,)
    second = await open_request(
        database,
        approvals,
        organization,
        payment,
        clock,
        requirement=CFO_AND_ONE,
        barred=barred,
        inherit_votes=True,
    )
    assert [vote.user_id for vote in second.counted(clock())] == [organization.cfo.user_id]
    clock.advance(seconds=1)
    assert second.counted(clock()) == ()
    # Whose vote ran out may give it again, on the new request.
    voted = await approvals.vote(organization.cfo, second.id, Choice.APPROVE, "", payment.digest)
    assert [vote.user_id for vote in voted.counted(clock())] == [organization.cfo.user_id]


async def test_reserve_sees_votes_of_approved_requests_only(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    approvals = approval_service(database, RecordingGate(), clock)
    payment = await create_payment(database, organization)
    request = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )

    async def seen(digest: bytes) -> list[UserId]:
        async with database.unit(organization.id) as connection:
            votes = await approvals.votes_for(
                connection, organization.id, payment.id, digest, clock()
            )
            return sorted(vote.user_id for vote in votes)

    assert await seen(payment.digest) == []
    await approvals.vote(organization.cfo, request.id, Choice.APPROVE, "", payment.digest)
    assert await seen(payment.digest) == []
    await approvals.vote(organization.approver, request.id, Choice.APPROVE, "", payment.digest)
    both = sorted((organization.cfo.user_id, organization.approver.user_id))
    assert await seen(payment.digest) == both
    assert await seen(bytes(32)) == []
    clock.advance(seconds=CFO_AND_ONE.expires_in_s)
    assert await seen(payment.digest) == []


async def test_time_runs_out_once(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    gate = RecordingGate()
    approvals = approval_service(database, gate, clock)
    payment = await create_payment(database, organization)
    kept = await create_payment(database, organization)
    request = await open_request(database, approvals, organization, payment, clock)
    clock.advance(seconds=1)
    await open_request(database, approvals, organization, kept, clock)
    clock.advance(seconds=ONE_APPROVER.expires_in_s - 2)
    assert organization.id not in await approvals.organizations_due()
    assert await approvals.expire_due(organization.id) == 0
    clock.advance(seconds=1)
    assert organization.id in await approvals.organizations_due()
    assert await approvals.expire_due(organization.id) == 1
    assert await approvals.expire_due(organization.id) == 0
    assert gate.heard == [("expired", payment.id)]
    assert (await approvals.get(organization.cfo, request.id)).state is RequestState.EXPIRED
    assert await payment_state(database, organization, payment.id) == "expired"
    assert await payment_state(database, organization, kept.id) == "awaiting_approval"


async def test_mails_go_to_the_people_who_may_vote(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    approvals = approval_service(database, RecordingGate(), clock)
    payment = await create_payment(database, organization)
    request = await open_request(
        database,
        approvals,
        organization,
        payment,
        clock,
        requester=organization.approver.user_id,
        barred=(UserId(uuid7()),),
    )
    queued = await rows(database, organization, "notifications")
    assert {(row["kind"], row["subject_id"], row["recipient"]) for row in queued} == {
        ("approval_requested", request.id, organization.email("second_approver")),
        ("approval_requested", request.id, organization.email("cfo")),
    }


async def test_what_was_refused_leaves_no_votes_behind(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    approvals = approval_service(database, RecordingGate(), clock)
    payment = await create_payment(database, organization)
    first = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )
    await approvals.vote(organization.cfo, first.id, Choice.APPROVE, "", payment.digest)
    await approvals.vote(organization.approver, first.id, Choice.REJECT, "no", payment.digest)
    again = await open_request(
        database, approvals, organization, payment, clock, inherit_votes=True
    )
    assert again.votes == ()


async def test_votes_on_other_bytes_in_between_are_not_even_shown(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    approvals = approval_service(database, RecordingGate(), clock)
    payment = await create_payment(database, organization)
    other = await create_payment(database, organization, amount_minor=1)
    changed = type(payment)(payment.id, payment.invoice_id, other.order)
    for subject, voter in ((payment, organization.cfo), (changed, organization.approver)):
        request = await open_request(
            database,
            approvals,
            organization,
            subject,
            clock,
            requirement=CFO_AND_ONE,
            inherit_votes=True,
        )
        await approvals.vote(voter, request.id, Choice.APPROVE, "", subject.digest)
    last = await open_request(
        database,
        approvals,
        organization,
        payment,
        clock,
        requirement=CFO_AND_ONE,
        inherit_votes=True,
    )
    assert [vote.user_id for vote in last.votes] == [organization.cfo.user_id]


async def test_rows_that_no_service_would_write_are_not_counted(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    approvals = approval_service(database, RecordingGate(), clock)
    payment = await create_payment(database, organization)
    request = await open_request(
        database, approvals, organization, payment, clock, requirement=CFO_AND_ONE
    )
    async with database.unit(organization.id) as connection:
        for user_id, kind, digest in (
            (organization.agent.user_id, "agent", payment.digest),
            (organization.service.user_id, "service", payment.digest),
            (organization.clerk.user_id, "human", payment.digest),
            (organization.second_approver.user_id, "human", bytes(32)),
        ):
            await connection.execute(
                text(
                    "INSERT INTO votes VALUES (:org, :request, :user, :kind, '{approver,cfo}',"
                    " 'approve', '', :digest, :now)"
                ),
                {
                    "org": organization.id,
                    "request": request.id,
                    "user": user_id,
                    "kind": kind,
                    "digest": digest,
                    "now": clock(),
                },
            )
    seen = await approvals.get(organization.cfo, request.id)
    assert len(seen.votes) == 4
    assert seen.counted(clock()) == ()
