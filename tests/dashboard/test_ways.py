"""Of several ways of asking the page shows the one that is nearest."""

from uuid import UUID

from uuid_utils.compat import uuid7

from dashboard.approval_case import Seat, nearest_way
from policy.decision import ApprovalRequirement, RoleQuorum
from policy.quorum import Choice
from tests.support.clock import START
from treasurer.approvals.model import ApprovalRequest, RequestState, Vote
from treasurer.kernel.ids import ApprovalRequestId, OrganizationId, PaymentId, UserId
from treasurer.kernel.organization import PrincipalKind, Role

CFO, APPROVERS = (RoleQuorum(("cfo",), 2),), (RoleQuorum(("approver",), 3),)
LATER = START.replace(year=2027)


def asked(*voters: Role) -> ApprovalRequest:
    request_id = ApprovalRequestId(uuid7())
    votes = tuple(
        Vote(
            request_id=request_id,
            user_id=UserId(UUID(int=number)),
            user_kind=PrincipalKind.HUMAN,
            roles=frozenset({role}),
            choice=Choice.APPROVE,
            reason="",
            order_digest=b"digest",
            voted_at=START,
            expires_at=LATER,
        )
        for number, role in enumerate(voters, start=1)
    )
    return ApprovalRequest(
        id=request_id,
        organization_id=OrganizationId(uuid7()),
        payment_id=PaymentId(uuid7()),
        order_digest=b"digest",
        requirement=ApprovalRequirement(CFO, 3_600, (APPROVERS,)),
        requester_id=UserId(uuid7()),
        barred=frozenset(),
        state=RequestState.OPEN,
        created_at=START,
        expires_at=LATER,
        closed_at=None,
        votes=votes,
    )


def test_the_page_follows_the_votes():
    assert nearest_way(asked(), START) == (CFO, (Seat(CFO[0], 0),))
    approvers = asked(Role.APPROVER, Role.APPROVER)
    assert nearest_way(approvers, START) == (APPROVERS, (Seat(APPROVERS[0], 2),))
    assert nearest_way(asked(Role.CFO, Role.CFO), START) == (CFO, (Seat(CFO[0], 2),))
