"""Owns the SQL of approval requests and votes. Must never change or remove a vote."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import TextClause, text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from policy.codec import as_fields
from policy.decision import requirement_document, requirement_from
from policy.quorum import Choice
from treasurer.approvals.model import ApprovalRequest, RequestState, Vote
from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import ApprovalRequestId, OrganizationId, PaymentId, UserId
from treasurer.kernel.organization import PrincipalKind, Role

_COLUMNS = """r.id, r.organization_id, r.payment_id, r.order_digest, r.requirement,
    r.requester_id, r.barred, r.state, r.created_at, r.expires_at, r.closed_at"""

_INSERT = text("""
    INSERT INTO approval_requests (organization_id, id, payment_id, order_digest, requirement,
                                   requester_id, barred, votes_from, state, created_at, expires_at)
    VALUES (:organization_id, :id, :payment_id, :order_digest, CAST(:requirement AS jsonb),
            :requester_id, CAST(:barred AS uuid[]),
            coalesce((SELECT o.votes_from FROM approval_requests o
                      WHERE CAST(:inherit AS boolean) AND o.organization_id = :organization_id
                        AND o.payment_id = :payment_id AND o.order_digest = :order_digest
                      ORDER BY o.id DESC LIMIT 1), CAST(:id AS uuid)),
            'open', :created_at, :expires_at)
""")
_SUPERSEDE = text("""
    UPDATE approval_requests SET state = 'superseded', closed_at = :now
    WHERE organization_id = :organization_id AND payment_id = :payment_id AND state = 'open'
    RETURNING id
""")
_CLOSE = text("""
    UPDATE approval_requests SET state = :state, closed_at = :closed_at
    WHERE organization_id = :organization_id AND id = :id AND state = 'open'
""")
_LOCK = text(f"""
    SELECT {_COLUMNS} FROM approval_requests r
    WHERE r.organization_id = :organization_id AND r.id = :id FOR NO KEY UPDATE
""")
_GET = text(f"""
    SELECT {_COLUMNS} FROM approval_requests r
    WHERE r.organization_id = :organization_id AND r.id = :id
""")
_NEWEST = text(f"""
    SELECT {_COLUMNS} FROM approval_requests r
    WHERE r.organization_id = :organization_id AND r.payment_id = :payment_id
    ORDER BY r.id DESC LIMIT 1
""")
_PAGE_OPEN = text(f"""
    SELECT {_COLUMNS} FROM approval_requests r
    WHERE r.organization_id = :organization_id AND r.state = 'open'
      AND (CAST(:before AS uuid) IS NULL OR r.id < :before)
    ORDER BY r.id DESC LIMIT :most
""")
_LOCK_DUE = text(f"""
    SELECT {_COLUMNS} FROM approval_requests r
    WHERE r.organization_id = :organization_id AND r.state = 'open' AND r.expires_at <= :now
    ORDER BY r.expires_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED
""")
_ORGANIZATIONS_DUE = text("""
    SELECT DISTINCT organization_id FROM approval_requests
    WHERE state = 'open' AND expires_at <= :now
""")
# Votes of the requests themselves, and of the ones that they continue: same payment, same bytes.
_VOTES = text("""
    SELECT q.id AS counted_for, v.approval_request_id, v.user_id, v.user_kind, v.roles, v.choice,
           v.reason, v.order_digest, v.voted_at, v.delegator_id, v.round, w.withdrawn_at,
           r.expires_at
    FROM approval_requests q
    JOIN approval_requests r ON r.organization_id = q.organization_id
     AND r.payment_id = q.payment_id AND r.order_digest = q.order_digest
     AND (r.id = q.id OR (r.id >= q.votes_from AND r.id < q.id
                          AND r.state IN ('approved', 'superseded')))
    JOIN votes v ON v.organization_id = r.organization_id AND v.approval_request_id = r.id
    LEFT JOIN vote_withdrawals w ON w.organization_id = v.organization_id
     AND w.approval_request_id = v.approval_request_id AND w.user_id = v.user_id
     AND w.round = v.round
    WHERE q.organization_id = :organization_id AND q.id = ANY(CAST(:ids AS uuid[]))
    ORDER BY v.voted_at DESC, v.approval_request_id DESC
""")
_INSERT_VOTE = text("""
    INSERT INTO votes (organization_id, approval_request_id, user_id, user_kind, roles, choice,
                       reason, order_digest, voted_at, delegator_id, round)
    VALUES (:organization_id, :request_id, :user_id, :user_kind, CAST(:roles AS text[]), :choice,
            :reason, :order_digest, :voted_at, :delegator_id, :round)
""")
_INSERT_WITHDRAWALS = text("""
    INSERT INTO vote_withdrawals (organization_id, approval_request_id, user_id, round,
                                  withdrawn_at)
    SELECT :organization_id, w.request_id, :user_id, w.round, :now
    FROM unnest(CAST(:requests AS uuid[]), CAST(:rounds AS smallint[])) AS w (request_id, round)
""")


async def insert_request(
    connection: AsyncConnection, request: ApprovalRequest, *, inherit_votes: bool
) -> None:
    """Store an open request; with `inherit_votes` it continues the newest one of the same bytes."""
    await connection.execute(
        _INSERT,
        {
            "organization_id": request.organization_id,
            "id": request.id,
            "payment_id": request.payment_id,
            "order_digest": request.order_digest,
            "requirement": orjson.dumps(requirement_document(request.requirement)).decode(),
            "requester_id": request.requester_id,
            "barred": sorted(request.barred),
            "inherit": inherit_votes,
            "created_at": request.created_at,
            "expires_at": request.expires_at,
        },
    )


async def supersede(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    payment_id: PaymentId,
    now: datetime,
) -> list[ApprovalRequestId]:
    """Close the payment's open request in favour of a new one; at most one exists."""
    rows = await connection.execute(
        _SUPERSEDE, {"organization_id": organization_id, "payment_id": payment_id, "now": now}
    )
    return [ApprovalRequestId(row.id) for row in rows]


async def close(connection: AsyncConnection, request: ApprovalRequest) -> None:
    """Write the final state of a request whose row the caller has locked."""
    result = await connection.execute(
        _CLOSE,
        {
            "organization_id": request.organization_id,
            "id": request.id,
            "state": request.state.value,
            "closed_at": request.closed_at,
        },
    )
    if result.rowcount != 1:
        raise InvariantViolated("APPROVAL_TRANSITION", f"request {request.id} was closed before")


async def lock_request(
    connection: AsyncConnection, organization_id: OrganizationId, request_id: ApprovalRequestId
) -> ApprovalRequest | None:
    """The request with its votes, its row locked until the commit."""
    # The votes are read by a statement of their own, after the lock: one that waited for the lock
    # would still see the votes as they were when it began.
    return await _one(connection, organization_id, _LOCK, {"id": request_id})


async def get_request(
    connection: AsyncConnection, organization_id: OrganizationId, request_id: ApprovalRequestId
) -> ApprovalRequest | None:
    """The request with its votes."""
    return await _one(connection, organization_id, _GET, {"id": request_id})


async def newest_request(
    connection: AsyncConnection, organization_id: OrganizationId, payment_id: PaymentId
) -> ApprovalRequest | None:
    """The payment's latest request, open or closed."""
    return await _one(connection, organization_id, _NEWEST, {"payment_id": payment_id})


async def open_page(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    *,
    before: ApprovalRequestId | None,
    most: int,
) -> list[ApprovalRequest]:
    """Open requests, newest first, keyset by id."""
    rows = await connection.execute(
        _PAGE_OPEN, {"organization_id": organization_id, "before": before, "most": most}
    )
    return await _requests(connection, organization_id, rows.mappings().all())


async def lock_due(
    connection: AsyncConnection, organization_id: OrganizationId, *, now: datetime, most: int
) -> list[ApprovalRequest]:
    """Open requests whose time is over, locked; those that somebody votes on just now are left."""
    rows = await connection.execute(
        _LOCK_DUE, {"organization_id": organization_id, "now": now, "most": most}
    )
    return await _requests(connection, organization_id, rows.mappings().all())


async def organizations_due(claims: AsyncConnection, now: datetime) -> list[OrganizationId]:
    """Organizations with a request whose time is over. Takes a connection of the system role."""
    rows = await claims.execute(_ORGANIZATIONS_DUE, {"now": now})
    return [OrganizationId(row.organization_id) for row in rows]


async def insert_vote(
    connection: AsyncConnection, organization_id: OrganizationId, vote: Vote
) -> None:
    """Store a vote. The keys hold I14 whatever the callers do: a round is there once, and the next
    one only after the withdrawal of the one before.
    """
    await connection.execute(
        _INSERT_VOTE,
        {
            "organization_id": organization_id,
            "request_id": vote.request_id,
            "user_id": vote.user_id,
            "user_kind": vote.user_kind.value,
            "roles": sorted(role.value for role in vote.roles),
            "choice": vote.choice.value,
            "reason": vote.reason,
            "order_digest": vote.order_digest,
            "voted_at": vote.voted_at,
            "delegator_id": vote.delegator_id,
            "round": vote.round,
        },
    )


async def insert_withdrawals(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    votes: Sequence[Vote],
    now: datetime,
) -> None:
    """Take back votes of one person; the votes themselves stay as they are."""
    await connection.execute(
        _INSERT_WITHDRAWALS,
        {
            "organization_id": organization_id,
            "user_id": votes[0].user_id,
            "requests": [vote.request_id for vote in votes],
            "rounds": [vote.round for vote in votes],
            "now": now,
        },
    )


async def _one(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    statement: TextClause,
    key: dict[str, UUID],
) -> ApprovalRequest | None:
    rows = await connection.execute(statement, {"organization_id": organization_id, **key})
    found = await _requests(connection, organization_id, rows.mappings().all())
    return found[0] if found else None


async def _requests(
    connection: AsyncConnection, organization_id: OrganizationId, rows: Sequence[RowMapping]
) -> list[ApprovalRequest]:
    if not rows:
        return []
    votes: dict[UUID, list[Vote]] = defaultdict(list)
    found = await connection.execute(
        _VOTES, {"organization_id": organization_id, "ids": [row["id"] for row in rows]}
    )
    for row in found.mappings():
        votes[row["counted_for"]].append(_vote(row))
    return [_request(row, tuple(votes[row["id"]])) for row in rows]


def _vote(row: RowMapping) -> Vote:
    return Vote(
        request_id=ApprovalRequestId(row["approval_request_id"]),
        user_id=UserId(row["user_id"]),
        user_kind=PrincipalKind(row["user_kind"]),
        roles=frozenset(Role(role) for role in row["roles"]),
        choice=Choice(row["choice"]),
        reason=row["reason"],
        order_digest=bytes(row["order_digest"]),
        voted_at=row["voted_at"],
        expires_at=row["expires_at"],
        delegator_id=None if row["delegator_id"] is None else UserId(row["delegator_id"]),
        round=row["round"],
        withdrawn_at=row["withdrawn_at"],
    )


def _request(row: RowMapping, votes: tuple[Vote, ...]) -> ApprovalRequest:
    requirement = requirement_from(as_fields(row["requirement"], "requirement"))
    if requirement is None:
        raise InvariantViolated("APPROVAL_REQUIREMENT", f"request {row['id']} asks for nothing")
    return ApprovalRequest(
        id=ApprovalRequestId(row["id"]),
        organization_id=OrganizationId(row["organization_id"]),
        payment_id=PaymentId(row["payment_id"]),
        order_digest=bytes(row["order_digest"]),
        requirement=requirement,
        requester_id=UserId(row["requester_id"]),
        barred=frozenset(UserId(user_id) for user_id in row["barred"]),
        state=RequestState(row["state"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        closed_at=row["closed_at"],
        votes=votes,
    )
