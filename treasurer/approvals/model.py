"""Owns approval requests and votes: who may vote, which votes count, which states follow.

Pure; must never let a vote count for other bytes than the voter saw (I13), nor count the requester,
whoever changed the payee, or anything that is not a person (I12).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from policy import quorum
from policy.decision import ApprovalRequirement
from policy.quorum import Choice
from treasurer.kernel.errors import Conflict, InvalidInput, InvariantViolated, NotPermitted
from treasurer.kernel.ids import ApprovalRequestId, OrganizationId, PaymentId, UserId
from treasurer.kernel.organization import Permission, Principal, PrincipalKind, Role

MAX_REASON_CHARACTERS = 1000


class RequestState(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


LEGAL: dict[RequestState, frozenset[RequestState]] = {
    RequestState.OPEN: frozenset(RequestState) - {RequestState.OPEN},
    RequestState.APPROVED: frozenset(),
    RequestState.REFUSED: frozenset(),
    RequestState.EXPIRED: frozenset(),
    RequestState.SUPERSEDED: frozenset(),
}
"""A closed request stays as it is; a stricter policy opens a new one."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's choice on one request, with the roles held then. Valid until `expires_at`.

    A delegate votes for `delegator_id` with that person's roles. After a withdrawal the same person
    may vote again, in the next `round`; at most one vote of a person on a request stands.
    """

    request_id: ApprovalRequestId
    user_id: UserId
    user_kind: PrincipalKind
    roles: frozenset[Role]
    choice: Choice
    reason: str
    order_digest: bytes
    voted_at: datetime
    expires_at: datetime
    delegator_id: UserId | None = None
    round: int = 1
    withdrawn_at: datetime | None = None

    @property
    def humans(self) -> frozenset[UserId]:
        """Who stands behind it: the voter, and the person voted for."""
        return frozenset({self.user_id, self.delegator_id or self.user_id})


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """A question to people about exactly one order.

    `votes` are those cast on this request and, where it continues older ones of the same payment
    and digest, theirs too: newest first. `barred` are the people who changed the payee
    or vouched for the invoice.
    """

    id: ApprovalRequestId
    organization_id: OrganizationId
    payment_id: PaymentId
    order_digest: bytes
    requirement: ApprovalRequirement
    requester_id: UserId
    barred: frozenset[UserId]
    state: RequestState
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    votes: tuple[Vote, ...]

    @property
    def roles(self) -> frozenset[Role]:
        """All roles whose holders are asked."""
        return frozenset(Role(role) for role in self.requirement.roles)

    def vote_of(self, user_id: UserId) -> Vote | None:
        """What this person voted on this very request, unless it was taken back."""
        own = (
            vote
            for vote in self.votes
            if vote.user_id == user_id and vote.request_id == self.id and vote.withdrawn_at is None
        )
        return next(own, None)

    def took_back(self, user_id: UserId) -> bool:
        """Whether this person voted here and has no vote standing."""
        return self.vote_of(user_id) is None and any(v.user_id == user_id for v in self.votes)

    def rounds_of(self, user_id: UserId) -> int:
        """How often this person has voted on this very request."""
        return sum(vote.user_id == user_id and vote.request_id == self.id for vote in self.votes)

    def withdrawable(self, user_id: UserId, now: datetime) -> tuple[Vote, ...]:
        """This person's approvals that count at `now`, on this request or on one it continues."""
        return tuple(vote for vote in self._standing(now) if vote.user_id == user_id)

    def counted(self, now: datetime) -> tuple[Vote, ...]:
        """The approvals that count at `now`: nobody stands behind two of them, newest first."""
        counted: list[Vote] = []
        behind: set[UserId] = set()
        for vote in self._standing(now):
            if not vote.humans & behind:
                behind |= vote.humans
                counted.append(vote)
        return tuple(counted)

    def _standing(self, now: datetime) -> tuple[Vote, ...]:
        return tuple(
            vote
            for vote in self.votes
            if vote.choice is Choice.APPROVE
            and vote.user_kind is PrincipalKind.HUMAN
            and vote.order_digest == self.order_digest
            and vote.expires_at > now
            and vote.withdrawn_at is None
            and not any(self.excludes(user_id) for user_id in vote.humans)
        )

    def quorum(self, requirement: ApprovalRequirement, now: datetime) -> quorum.QuorumState:
        """How far the approvals that count at `now` meet `requirement`, its own or a stricter one."""
        votes = [
            quorum.Vote(
                user_id=str(vote.user_id),
                kind=vote.user_kind.value,
                roles=frozenset(role.value for role in vote.roles),
                choice=Choice.APPROVE,
                for_user_id=str(vote.delegator_id) if vote.delegator_id else None,
            )
            for vote in self.counted(now)
        ]
        barred = {str(user_id) for user_id in self.barred}
        return quorum.quorum_met(requirement, votes, str(self.requester_id), barred)

    def excludes(self, user_id: UserId) -> bool:
        """Whether this person made what is to be checked: asked for it, vouched for its invoice, or
        changed the payee.
        """
        return user_id == self.requester_id or user_id in self.barred

    def closed(self, state: RequestState, now: datetime) -> "ApprovalRequest":
        """The request in its final `state`. Raises InvariantViolated where none may follow."""
        if state not in LEGAL[self.state]:
            raise InvariantViolated(
                "APPROVAL_TRANSITION", f"request {self.id} is {self.state} and stays so"
            )
        return replace(self, state=state, closed_at=now)


def require_voter(principal: Principal) -> None:
    """Raise NotPermitted unless the principal is a person with `approvals:vote` (I12)."""
    if principal.kind is not PrincipalKind.HUMAN:
        raise NotPermitted("APPROVER_NOT_HUMAN", "only people vote; sign in as a person")
    principal.require(Permission.APPROVALS_VOTE)


def require_eligible(
    request: ApprovalRequest, principal: Principal, delegator: Principal | None = None
) -> None:
    """Raise NotPermitted unless this person may vote, for themselves or for `delegator`."""
    if request.excludes(principal.user_id):
        raise NotPermitted(
            "MAKER_IS_CHECKER",
            "you asked for this payment, vouched for its invoice or changed its payee; somebody else "
            "has to decide",
        )
    if delegator is not None and request.excludes(delegator.user_id):
        raise NotPermitted(
            "MAKER_IS_CHECKER",
            "you would vote for the person who asked for this payment, vouched for its invoice or "
            "changed its payee; nobody may do that",
        )
    if not request.roles & (delegator or principal).roles:
        asked = " or ".join(sorted(request.roles))
        raise NotPermitted("ROLE_NOT_ASKED", f"this request asks people with the role {asked}")


def require_unrepresented(request: ApprovalRequest, vote: Vote, now: datetime) -> None:
    """Raise Conflict if the voter, or whom they vote for, stands behind another approval already."""
    for other in request.counted(now):
        if other.user_id != vote.user_id and other.humans & vote.humans:
            raise Conflict(
                "VOTE_REPRESENTED",
                "a vote of yours or of the person you vote for counts here already; "
                "each person stands behind one vote",
            )


def require_votable(request: ApprovalRequest, now: datetime) -> None:
    """Raise Conflict unless the request is open and its time is not over."""
    if request.state is RequestState.EXPIRED or (
        request.state is RequestState.OPEN and request.expires_at <= now
    ):
        raise Conflict(
            "APPROVAL_EXPIRED", "the time to decide is over; submit the payment again to ask anew"
        )
    if request.state is not RequestState.OPEN:
        raise Conflict("APPROVAL_CLOSED", f"this request is already {request.state}")


def require_same_order(request: ApprovalRequest, order_digest: bytes) -> None:
    """Raise Conflict unless the voter saw the bytes that the request is about (I13)."""
    if order_digest != request.order_digest:
        raise Conflict(
            "APPROVAL_DIGEST_MISMATCH",
            "the payment is not the one you looked at; read the request again and decide on that",
        )


def checked_reason(choice: Choice, reason: str) -> str:
    """The reason without outer blanks. Raises InvalidInput: a rejection needs one, none is a book."""
    reason = reason.strip()
    if choice is Choice.REJECT and not reason:
        raise InvalidInput(
            "REASON_MISSING", "say in a sentence why you reject; the submitter reads it"
        )
    if len(reason) > MAX_REASON_CHARACTERS:
        raise InvalidInput(
            "REASON_TOO_LONG", f"a reason has at most {MAX_REASON_CHARACTERS} characters"
        )
    return reason
