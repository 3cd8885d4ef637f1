"""Owns the links in approval mails: single-use, expiring, bound to one approver and one request.

Must never store a token, nor change anything on a look: mail scanners and previews fetch links.
A request never changes its order digest, so a link is bound to the approved bytes as well.

Each delivery of a mail issues a link of its own, and the approver's older links to the request stay
valid: when a delivery's outcome was unknown, the mail that arrived may be the first one. Using any
of them uses up all.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from policy.quorum import Choice
from treasurer.approvals import store
from treasurer.approvals.model import ApprovalRequest
from treasurer.approvals.service import ApprovalService
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.digest import digest
from treasurer.kernel.errors import Conflict, NotFound, NotPermitted
from treasurer.kernel.ids import ApprovalRequestId, OrganizationId, UserId
from treasurer.kernel.organization import Principal

_SECRET_BYTES = 32
_ORGANIZATION_BYTES = 16

_INSERT = text("""
    INSERT INTO approval_links (organization_id, token_hash, approval_request_id, user_id,
                                expires_at)
    SELECT r.organization_id, :token_hash, r.id, :user_id, r.expires_at
    FROM approval_requests r
    WHERE r.organization_id = :organization_id AND r.id = :request_id AND r.state = 'open'
""")
_GET = text("""
    SELECT approval_request_id, user_id, expires_at, used_at FROM approval_links
    WHERE organization_id = :organization_id AND token_hash = :token_hash
""")
_USE_ALL = text("""
    UPDATE approval_links SET used_at = :now
    WHERE organization_id = :organization_id AND approval_request_id = :request_id
      AND user_id = :user_id AND used_at IS NULL
    RETURNING token_hash
""")


@dataclass(frozen=True, slots=True)
class ApprovalLink:
    """What a link leads to: the request, and the only person who may answer by it."""

    request: ApprovalRequest
    user_id: UserId


@dataclass(frozen=True, slots=True)
class _Stored:
    organization_id: OrganizationId
    token_hash: bytes
    request_id: ApprovalRequestId
    user_id: UserId


async def issue(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    request_id: ApprovalRequestId,
    user_id: UserId,
) -> str:
    """A fresh token for `user_id`, valid as long as the open request. Only its hash is stored.

    URL-safe text of 64 characters. It names the organization, because row-level security shows
    nothing before an organization is chosen; that part is no secret. Raises Conflict when the
    request is not open.
    """
    raw = organization_id.bytes + secrets.token_bytes(_SECRET_BYTES)
    result = await connection.execute(
        _INSERT,
        {
            "organization_id": organization_id,
            "token_hash": digest(raw),
            "request_id": request_id,
            "user_id": user_id,
        },
    )
    if result.rowcount != 1:
        raise Conflict("APPROVAL_CLOSED", "links are issued for open requests only")
    return base64.urlsafe_b64encode(raw).decode("ascii")


class ApprovalLinks:
    """Opens links that `issue` made."""

    def __init__(self, *, database: Database, approvals: ApprovalService, clock: Clock) -> None:
        self._database = database
        self._approvals = approvals
        self._clock = clock

    async def peek(self, token: str) -> ApprovalLink:
        """What the link shows, without any effect. Whoever holds the mail may look.

        Raises NotFound (LINK_UNKNOWN), Conflict (LINK_USED, LINK_EXPIRED).
        """
        organization_id, token_hash = _parsed(token)
        async with self._database.unit(organization_id) as connection:
            link = await _usable(connection, organization_id, token_hash, self._clock())
            request = await store.get_request(connection, organization_id, link.request_id)
        if request is None:
            raise _unknown()
        return ApprovalLink(request, link.user_id)

    async def request_of(self, principal: Principal, token: str) -> ApprovalRequestId | None:
        """The request of a link that was sent to `principal`, used or not; None for any other link."""
        organization_id, token_hash = _parsed(token)
        if organization_id != principal.organization_id:
            return None
        key = {"organization_id": organization_id, "token_hash": token_hash}
        async with self._database.unit(organization_id) as connection:
            row = (await connection.execute(_GET, key)).one_or_none()
        if row is None or row.user_id != principal.user_id:
            return None
        return ApprovalRequestId(row.approval_request_id)

    async def redeem(
        self,
        principal: Principal,
        token: str,
        choice: Choice,
        reason: str,
        *,
        for_user_id: UserId | None = None,
    ) -> ApprovalRequest:
        """Vote by link, as the person whom it was sent to, and use up that person's links.

        Raises what `peek` and `ApprovalService.cast` raise, and NotPermitted (LINK_NOT_YOURS).
        """
        organization_id, token_hash = _parsed(token)
        if organization_id != principal.organization_id:
            raise _not_yours()
        async with self._database.unit(organization_id) as connection:
            now = self._clock()
            link = await _usable(connection, organization_id, token_hash, now)
            if link.user_id != principal.user_id:
                raise _not_yours()
            # The request's lock comes first: two links of one person, used at once, would
            # otherwise each hold its own row and wait for the other's.
            request = await store.lock_request(connection, organization_id, link.request_id)
            if request is None:
                raise _unknown()
            await _use(connection, link, now)
            return await self._approvals.cast(
                connection,
                principal,
                request.id,
                choice,
                reason,
                request.order_digest,
                for_user_id=for_user_id,
            )


async def _usable(
    connection: AsyncConnection, organization_id: OrganizationId, token_hash: bytes, now: datetime
) -> _Stored:
    row = (
        await connection.execute(
            _GET, {"organization_id": organization_id, "token_hash": token_hash}
        )
    ).one_or_none()
    if row is None:
        raise _unknown()
    if row.used_at is not None:
        raise _used()
    if row.expires_at <= now:
        raise Conflict("LINK_EXPIRED", "the time to decide is over; the request has lapsed")
    return _Stored(
        organization_id, token_hash, ApprovalRequestId(row.approval_request_id), UserId(row.user_id)
    )


async def _use(connection: AsyncConnection, link: _Stored, now: datetime) -> None:
    rows = await connection.execute(
        _USE_ALL,
        {
            "organization_id": link.organization_id,
            "request_id": link.request_id,
            "user_id": link.user_id,
            "now": now,
        },
    )
    if link.token_hash not in {bytes(row.token_hash) for row in rows}:
        raise _used()


def _parsed(token: str) -> tuple[OrganizationId, bytes]:
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise _unknown() from None
    if len(raw) != _ORGANIZATION_BYTES + _SECRET_BYTES:
        raise _unknown()
    return OrganizationId(UUID(bytes=raw[:_ORGANIZATION_BYTES])), digest(raw)


def _unknown() -> NotFound:
    return NotFound("LINK_UNKNOWN", "this link is not known; open the newest mail or sign in")


def _used() -> Conflict:
    return Conflict("LINK_USED", "this link was used; sign in to see the request")


def _not_yours() -> NotPermitted:
    return NotPermitted(
        "LINK_NOT_YOURS", "this link was sent to somebody else; vote from the approvals page"
    )
