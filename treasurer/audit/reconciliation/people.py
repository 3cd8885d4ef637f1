"""Owns counting votes anew (I12, I13, I14): of every approved request, from its rows alone.

Must never ask the approvals service; only the pure quorum is shared, and it is tested by itself.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from sqlalchemy import Row, text

from policy.codec import as_fields
from policy.decision import requirement_from
from policy.quorum import Choice, Vote, quorum_met
from treasurer.audit.reconciliation.examination import Stream
from treasurer.audit.reconciliation.model import Check, Violation
from treasurer.audit.reconciliation.query import Query
from treasurer.audit.reconciliation.scene import Scene

QUORUM = Check(
    "I12.quorum",
    "An approved request has its quorum of distinct people, none of them its requester or barred.",
)
BOUND = Check(
    "I13.bound",
    "Every vote that counts is about the approved bytes, cast in time, by a person.",
)
# A request may continue older ones for the same bytes: their unexpired votes count here too.
_APPROVED = text("""
    SELECT r.id, r.payment_id, r.order_digest, r.requirement, r.requester_id, r.barred,
        r.closed_at, r.expires_at,
        (SELECT jsonb_agg(jsonb_build_object('user_id', v.user_id, 'kind', v.user_kind,
            'roles', v.roles, 'choice', v.choice, 'own', o.id = r.id,
            'bound', v.order_digest = o.order_digest AND o.order_digest = r.order_digest,
            'early', v.voted_at < o.created_at, 'late', v.voted_at >= o.expires_at
                OR (o.closed_at IS NOT NULL AND v.voted_at > o.closed_at),
            'stale', o.expires_at <= r.closed_at,
            'person', u.kind = 'human' AND v.user_kind = 'human'))
         FROM approval_requests o
         JOIN votes v ON v.organization_id = o.organization_id AND v.approval_request_id = o.id
         LEFT JOIN users u ON u.organization_id = v.organization_id AND u.id = v.user_id
         WHERE o.organization_id = r.organization_id AND o.payment_id = r.payment_id
           AND (o.id = r.id OR (o.id >= r.votes_from AND o.id < r.id
                AND o.order_digest = r.order_digest AND o.state IN ('approved', 'superseded')))
        ) AS votes
    FROM approval_requests r
    WHERE r.organization_id = :organization_id AND r.state = 'approved' AND r.id > :after
    ORDER BY r.id LIMIT :most
""")


async def approved_requests(scene: Scene) -> AsyncIterator[Sequence[Row[Any]]]:
    """Requests that let a payment pass, with the votes that may count for each."""
    async for page in scene.pages(_APPROVED):
        yield page


def quorum(_: Scene, request: Row[Any]) -> Iterator[Violation]:
    """Counts as of the moment of closing, the cautious way."""
    requirement = requirement_from(as_fields(request.requirement, "requirement"))
    votes = [
        Vote(vote["user_id"], vote["kind"], frozenset(vote["roles"]), Choice(vote["choice"]))
        for vote in request.votes or ()
        if vote["bound"] and vote["person"] and not vote["late"] and not vote["stale"]
    ]
    barred = {str(user_id) for user_id in request.barred}
    state = requirement and quorum_met(requirement, votes, str(request.requester_id), barred)
    if not state or not state.met:
        yield _about(QUORUM, "APPROVED_WITHOUT_QUORUM", request, votes=len(votes))


def bound(_: Scene, request: Row[Any]) -> Iterator[Violation]:
    """Of the request's own votes: right bytes, in time, a person and no agent."""
    for vote in request.votes or ():
        if not vote["own"]:
            continue
        if not vote["bound"]:
            yield _about(BOUND, "VOTE_ON_OTHER_BYTES", request, vote["user_id"])
        if vote["late"] or vote["early"]:
            yield _about(BOUND, "VOTE_OUT_OF_TIME", request, vote["user_id"])
        if not vote["person"] and vote["choice"] == "approve":
            yield _about(BOUND, "VOTE_OF_NO_PERSON", request, vote["user_id"])


PEOPLE = (
    Stream(approved_requests, ((QUORUM, quorum), (BOUND, bound))),
    Query(
        "I14.once",
        "One person has one vote on a request.",
        "VOTED_TWICE",
        """
        SELECT approval_request_id, user_id, count(*) AS votes FROM votes
        WHERE organization_id = :organization_id
        GROUP BY approval_request_id, user_id HAVING count(*) > 1
        """,
    ),
)


def _about(
    check: Check, code: str, request: Row[Any], user_id: str | None = None, **numbers: int
) -> Violation:
    about = {"approval_request_id": str(request.id), "payment_id": str(request.payment_id)}
    if user_id is not None:
        about["user_id"] = user_id
    return Violation(check.id, code, about, numbers)
