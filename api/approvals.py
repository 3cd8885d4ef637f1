"""Owns the approvals' routes. A vote names the digest that the voter saw, never only the request."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.auth import Provided, requires
from api.payments import PaymentView, payment_view
from api.views import Before, Body, Instant, Most, Page, page_of
from policy.decision import RoleQuorum
from policy.quorum import Choice
from treasurer.approvals.model import ApprovalRequest, RequestState
from treasurer.kernel.ids import ApprovalRequestId
from treasurer.kernel.organization import Permission, Principal, PrincipalKind

router = APIRouter(prefix="/api/v1/approvals", tags=["approvals"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]
Voter = Annotated[Principal, Depends(requires(Permission.APPROVALS_VOTE))]


class Group(BaseModel):
    """So many different people, each with one of the roles."""

    roles: list[str]
    count: int


class VoteView(BaseModel):
    user_id: UUID
    roles: list[str]
    choice: Choice
    reason: str
    voted_at: Instant


class ApprovalView(BaseModel):
    """A question to people about exactly the order that `order_digest` names.

    `missing` says who is still wanted, `may_vote` whether it is for the caller to answer.
    """

    id: UUID
    payment_id: UUID
    order_digest: str
    state: RequestState
    requester_id: UUID
    created_at: Instant
    expires_at: Instant
    closed_at: Instant | None
    requirement: list[Group]
    missing: list[Group]
    votes: list[VoteView]
    may_vote: bool


class ApprovalDetail(ApprovalView):
    """With the payment that it asks about."""

    payment: PaymentView


class NewVote(Body):
    """`order_digest` is the one that was shown. A rejection needs a reason."""

    choice: Choice
    order_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    reason: str = ""


@router.get("")
async def approvals(
    caller: Reader, services: Provided, before: Before = None, most: Most = 50
) -> Page[ApprovalView]:
    """Open requests, newest first."""
    found = await services.approvals.page_open(
        caller, before=ApprovalRequestId(before) if before else None, most=most
    )
    now = services.clock()
    views = [ApprovalView(**_fields(request, caller, now)) for request in found]
    return page_of(views, most, found and found[-1].id)


@router.get("/{approval_id}")
async def approval(approval_id: UUID, caller: Reader, services: Provided) -> ApprovalDetail:
    """One request, open or closed, with its payment and votes."""
    request = await services.approvals.get(caller, ApprovalRequestId(approval_id))
    payment = await services.payments.get(caller, request.payment_id)
    return ApprovalDetail(
        **_fields(request, caller, services.clock()), payment=payment_view(payment)
    )


@router.post("/{approval_id}/votes")
async def vote(approval_id: UUID, body: NewVote, caller: Voter, services: Provided) -> ApprovalView:
    """Approve or reject. The same vote again changes nothing; a vote is not taken back."""
    request = await services.approvals.vote(
        caller,
        ApprovalRequestId(approval_id),
        body.choice,
        body.reason,
        bytes.fromhex(body.order_digest),
    )
    return ApprovalView(**_fields(request, caller, services.clock()))


def _fields(request: ApprovalRequest, caller: Principal, now: datetime) -> dict[str, Any]:
    is_open = request.state is RequestState.OPEN and request.expires_at > now
    return {
        "id": request.id,
        "payment_id": request.payment_id,
        "order_digest": request.order_digest.hex(),
        "state": request.state,
        "requester_id": request.requester_id,
        "created_at": request.created_at,
        "expires_at": request.expires_at,
        "closed_at": request.closed_at,
        "requirement": _groups(request.requirement.groups),
        "missing": _groups(request.quorum(request.requirement, now).missing) if is_open else [],
        "votes": [
            {
                "user_id": vote.user_id,
                "roles": sorted(vote.roles),
                "choice": vote.choice,
                "reason": vote.reason,
                "voted_at": vote.voted_at,
            }
            for vote in request.votes
        ],
        "may_vote": is_open
        and caller.kind is PrincipalKind.HUMAN
        and bool(request.roles & caller.roles)
        and not request.excludes(caller.user_id)
        and request.vote_of(caller.user_id) is None,
    }


def _groups(groups: Iterable[RoleQuorum]) -> list[dict[str, Any]]:
    return [{"roles": list(group.roles), "count": group.count} for group in groups]
