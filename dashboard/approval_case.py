"""Owns what an approver has to see before deciding, gathered in one place for page and mail link.

Must never show an address as the payee's own unless the master says so now.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dashboard.services import PageServices
from policy.decision import Decision, RoleQuorum, decision_from_json
from policy.requirement import way_in_words
from treasurer.approvals.model import (
    ApprovalRequest,
    RequestState,
    Vote,
    require_eligible,
    require_votable,
    require_voter,
)
from treasurer.identity.model import User
from treasurer.invoices.model import Invoice
from treasurer.invoices.review import InvoiceReview
from treasurer.kernel.errors import TreasurerError
from treasurer.kernel.money import Asset
from treasurer.kernel.order import ExecutionOrder, parse_order
from treasurer.kernel.organization import Principal
from treasurer.payees.model import AddressState, Payee, PayeeAddress
from treasurer.payments.model import Payment, PaymentState
from treasurer.reports.people import Person


@dataclass(frozen=True, slots=True)
class Seat:
    """A group of the requirement: `given` of its `wanted` people have agreed."""

    group: RoleQuorum
    given: int


@dataclass(frozen=True, slots=True)
class Case:
    """A request with everything around it. `obstacle` says why this visitor may not decide.

    `seats` are those of the way of asking that was met or is nearest; `other_ways` would do as well.
    """

    request: ApprovalRequest
    payment: Payment
    order: ExecutionOrder
    decision: Decision | None
    reporting: Asset
    payee: Payee
    master_address: PayeeAddress | None
    invoice: Invoice | None
    reviews: tuple[InvoiceReview, ...]
    seats: tuple[Seat, ...]
    other_ways: tuple[str, ...]
    votes: tuple[Vote, ...]
    people: Mapping[UUID, Person]
    own_vote: Vote | None
    obstacle: str | None
    lenders: tuple[User, ...]
    step_up: bool
    has_authenticator: bool
    withdrawable: bool

    @property
    def address_matches(self) -> bool:
        """Whether the order pays the address that is verified for the payee at this moment."""
        return (
            self.master_address is not None
            and self.master_address.address == self.payment.recipient
        )

    @property
    def is_open(self) -> bool:
        return self.request.state is RequestState.OPEN


async def gather(
    services: PageServices, principal: Principal, request: ApprovalRequest, now: datetime
) -> Case:
    """Read all that the page shows of `request`. Raises NotFound as the services do."""
    payment = await services.payments.get(principal, request.payment_id)
    order = parse_order(payment.order_bytes)
    payee = await services.payees.get(principal, payment.payee_id)
    decisions = await services.payments.decisions(principal, payment.id)
    figures = await services.cash.overview(principal)
    address = _verified(payee, order.chain_id)
    invoice = (
        await services.invoices.get(principal, payment.invoice_id) if payment.invoice_id else None
    )
    reviews = (
        await services.invoice_reviews.of_invoice(principal, payment.invoice_id)
        if payment.invoice_id
        else []
    )
    people = await services.reports.people(
        principal,
        [
            request.requester_id,
            *(each.reviewer_id for each in reviews),
            *(vote.user_id for vote in request.votes),
            *(vote.delegator_id for vote in request.votes if vote.delegator_id),
            *((address.verified_by, address.changed_by) if address else ()),
        ],
    )
    is_open = request.state is RequestState.OPEN and request.expires_at > now
    lenders = await services.approvals.voted_for(principal, request) if is_open else []
    way, seats = nearest_way(request, now)
    return Case(
        request=request,
        payment=payment,
        order=order,
        decision=decision_from_json(decisions[0].decision) if decisions else None,
        reporting=figures.reporting,
        payee=payee,
        master_address=address,
        invoice=invoice,
        seats=seats,
        other_ways=tuple(way_in_words(o) for o in request.requirement.branches if o != way),
        reviews=tuple(reviews),
        votes=request.votes,
        people=people,
        own_vote=request.vote_of(principal.user_id),
        obstacle=_obstacle(request, principal, now),
        lenders=tuple(lenders),
        step_up=await services.approvals.step_up_within(principal, request) is not None,
        has_authenticator=await services.codes.enrolled(principal),
        withdrawable=bool(request.withdrawable(principal.user_id, now))
        and (is_open or payment.state is PaymentState.APPROVED),
    )


def _verified(payee: Payee, chain_id: int) -> PayeeAddress | None:
    return next(
        (
            entry
            for entry in payee.addresses
            if entry.state is AddressState.VERIFIED and entry.chain_id == chain_id
        ),
        None,
    )


def nearest_way(
    request: ApprovalRequest, now: datetime
) -> tuple[tuple[RoleQuorum, ...], tuple[Seat, ...]]:
    """Of the ways of asking the one that was met or is nearest, with its seats as they are filled."""
    # A closed request is told as it stood when it closed: its votes may have expired since.
    state = request.quorum(request.requirement, request.closed_at or now)
    ways = request.requirement.branches
    way = next((way for way in ways if set(state.missing) <= _within(way)), ways[0])
    missing = {group.roles: group.count for group in state.missing}
    return way, tuple(Seat(group, group.count - missing.get(group.roles, 0)) for group in way)


def _within(way: tuple[RoleQuorum, ...]) -> set[RoleQuorum]:
    return {RoleQuorum(group.roles, count) for group in way for count in range(1, group.count + 1)}


def _obstacle(request: ApprovalRequest, principal: Principal, now: datetime) -> str | None:
    """The same checks that a vote passes, asked beforehand: the vote itself asks them again."""
    try:
        require_votable(request, now)
        require_voter(principal)
        require_eligible(request, principal)
    except TreasurerError as error:
        return error.message
    return None
