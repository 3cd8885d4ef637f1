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
from treasurer.approvals.settings import ApprovalSettings
from treasurer.kernel.ids import ApprovalRequestId, UserId
from treasurer.kernel.organization import Permission, Principal, PrincipalKind, Role

router = APIRouter(prefix="/api/v1/approvals", tags=["approvals"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]
Writer = Annotated[Principal, Depends(requires(Permission.POLICY_WRITE))]
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
    for_user_id: UUID | None
    withdrawn_at: Instant | None


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
    alternatives: list[list[Group]]
    missing: list[Group]
    votes: list[VoteView]
    may_vote: bool


class ApprovalDetail(ApprovalView):
    """With the payment that it asks about.

    `may_vote_for` are the people for whom the caller, as their delegate, may vote on it.
    `step_up_within_s` is how fresh a second proof an approval needs; null where none is asked.
    """

    payment: PaymentView
    may_vote_for: list[UUID]
    step_up_within_s: int | None


class NewVote(Body):
    """`order_digest` is the one that was shown. A rejection needs a reason. A delegate names whom
    the vote is for.
    """

    choice: Choice
    order_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    reason: str = ""
    for_user_id: UUID | None = None


class SettingsView(Body):
    """Approvals of more than `step_up_above_minor`, base units of the reporting currency as text,
    need a second proof within `step_up_within_s`; null asks for none.
    """

    step_up_above_minor: Annotated[str, Field(pattern=r"^[0-9]{1,78}$")] | None = None
    step_up_within_s: int = 600
    escalation_role: Role = Role.CFO


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


@router.get("/settings")
async def settings(caller: Reader, services: Provided) -> SettingsView:
    """When a second proof is asked, and who hears of delays."""
    return _settings(await services.approval_settings.get(caller))


@router.put("/settings")
async def put_settings(body: SettingsView, caller: Writer, services: Provided) -> SettingsView:
    """Set them. Whoever loosens proves themselves again first."""
    above = body.step_up_above_minor
    chosen = ApprovalSettings(
        None if above is None else int(above), body.step_up_within_s, body.escalation_role
    )
    return _settings(await services.approval_settings.put(caller, chosen))


@router.get("/{approval_id}")
async def approval(approval_id: UUID, caller: Reader, services: Provided) -> ApprovalDetail:
    """One request, open or closed, with its payment and votes."""
    request = await services.approvals.get(caller, ApprovalRequestId(approval_id))
    payment = await services.payments.get(caller, request.payment_id)
    lenders = await services.approvals.voted_for(caller, request)
    within = await services.approvals.step_up_within(caller, request)
    now = services.clock()
    is_open = request.state is RequestState.OPEN and request.expires_at > now
    return ApprovalDetail(
        **_fields(request, caller, now),
        payment=payment_view(payment),
        may_vote_for=[user.id for user in lenders] if is_open else [],
        step_up_within_s=int(within.total_seconds()) if within else None,
    )


@router.post("/{approval_id}/votes")
async def vote(approval_id: UUID, body: NewVote, caller: Voter, services: Provided) -> ApprovalView:
    """Approve or reject. The same vote again changes nothing."""
    request = await services.approvals.vote(
        caller,
        ApprovalRequestId(approval_id),
        body.choice,
        body.reason,
        bytes.fromhex(body.order_digest),
        for_user_id=UserId(body.for_user_id) if body.for_user_id else None,
    )
    return ApprovalView(**_fields(request, caller, services.clock()))


@router.post("/{approval_id}/votes/withdrawal")
async def withdraw(approval_id: UUID, caller: Voter, services: Provided) -> ApprovalView:
    """Take back one's approval, until the payment is reserved. After the quorum the payment waits
    again, under a new request: the answer is the request that goes on.
    """
    request = await services.approvals.withdraw(caller, ApprovalRequestId(approval_id))
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
        "alternatives": [_groups(branch) for branch in request.requirement.alternatives],
        "missing": _groups(request.quorum(request.requirement, now).missing) if is_open else [],
        "votes": [
            {
                "user_id": vote.user_id,
                "roles": sorted(vote.roles),
                "choice": vote.choice,
                "reason": vote.reason,
                "voted_at": vote.voted_at,
                "for_user_id": vote.delegator_id,
                "withdrawn_at": vote.withdrawn_at,
            }
            for vote in request.votes
        ],
        "may_vote": is_open
        and caller.kind is PrincipalKind.HUMAN
        and bool(request.roles & caller.roles)
        and not request.excludes(caller.user_id)
        and request.vote_of(caller.user_id) is None,
    }


def _settings(settings: ApprovalSettings) -> SettingsView:
    above = settings.step_up_above_minor
    return SettingsView(
        step_up_above_minor=None if above is None else str(above),
        step_up_within_s=settings.step_up_within_s,
        escalation_role=settings.escalation_role,
    )


def _groups(groups: Iterable[RoleQuorum]) -> list[dict[str, Any]]:
    return [{"roles": list(group.roles), "count": group.count} for group in groups]
