"""Owns what makes a request safe to send twice (I15). Must never keep a body: hashes and an id only.

A claim is written in the transaction of its effect, so both stand or both fall: an answer of 401,
429 or 5xx leaves no claim behind, and the caller may send the same key again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.digest import Canonical, canonical_digest, digest
from treasurer.kernel.errors import Conflict, InvalidInput
from treasurer.kernel.ids import OrganizationId, UserId
from treasurer.kernel.organization import Principal

_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)

# The advisory lock tells "in progress" at once, where a plain insert would wait for the other
# transaction to end. `found` reads the statement's snapshot: a row committed since then shows only
# as an insert that did nothing, which `_READ` resolves.
_CLAIM = text("""
    WITH entry AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(:lock) AS free),
    inserted AS (
        INSERT INTO idempotency_keys (organization_id, principal_id, route, key, request_hash,
                                      status, resource_id, created_at)
        SELECT CAST(:organization_id AS uuid), CAST(:principal_id AS uuid), CAST(:route AS text),
               CAST(:key AS text), CAST(:request_hash AS bytea), CAST(:status AS smallint),
               CAST(:resource_id AS uuid), CAST(:now AS timestamptz)
        FROM entry WHERE free
        ON CONFLICT DO NOTHING
        RETURNING 1)
    SELECT entry.free, EXISTS (SELECT FROM inserted) AS claimed,
           found.request_hash, found.status, found.resource_id
    FROM entry LEFT JOIN idempotency_keys found
      ON found.organization_id = :organization_id AND found.principal_id = :principal_id
     AND found.route = :route AND found.key = :key
""")
_READ = text("""
    SELECT request_hash, status, resource_id FROM idempotency_keys
    WHERE organization_id = :organization_id AND principal_id = :principal_id
      AND route = :route AND key = :key
""")


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """A caller's key for one request. Two requests are the same when their `request_hash` is."""

    organization_id: OrganizationId
    principal_id: UserId
    route: str
    key: str
    request_hash: bytes


@dataclass(frozen=True, slots=True)
class Replay:
    """What the first request with this key was answered: HTTP status and the id that it made."""

    status: int
    resource_id: UUID


def claim_for(
    principal: Principal,
    *,
    route: str,
    key: str,
    fields: Canonical,
    blobs: Sequence[bytes] = (),
) -> IdempotencyClaim:
    """Bind `key` to the canonical fields and the contents of a request.

    `fields` holds what changes the effect and nothing of the transport: a multipart boundary or a
    header's order is no difference. Raises InvalidInput unless the key is 1..255 visible ASCII.
    """
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            "IDEMPOTENCY_KEY_SYNTAX",
            "send an Idempotency-Key of 1 to 255 visible ASCII characters, such as a UUID",
        )
    return IdempotencyClaim(
        organization_id=principal.organization_id,
        principal_id=principal.user_id,
        route=route,
        key=key,
        request_hash=canonical_digest(
            {"fields": fields, "blobs": [digest(blob).hex() for blob in blobs]}
        ),
    )


async def claim(
    connection: AsyncConnection,
    claimed: IdempotencyClaim,
    *,
    status: int,
    resource_id: UUID,
    now: datetime,
) -> Replay | None:
    """Record the claim with the answer that this transaction is about to earn.

    Returns None for a fresh key: go on, and commit the effect with the claim. Returns the Replay of
    an earlier request: make nothing, answer its status with the present state of its resource.
    Raises InvalidInput IDEMPOTENCY_MISMATCH for another request under the same key, and Conflict
    IDEMPOTENCY_IN_PROGRESS while another transaction holds the key.
    """
    scope = {
        "organization_id": claimed.organization_id,
        "principal_id": claimed.principal_id,
        "route": claimed.route,
        "key": claimed.key,
    }
    row = (
        await connection.execute(
            _CLAIM,
            {
                **scope,
                "lock": _lock(claimed),
                "request_hash": claimed.request_hash,
                "status": status,
                "resource_id": resource_id,
                "now": now,
            },
        )
    ).one()
    if not row.free:
        raise Conflict(
            "IDEMPOTENCY_IN_PROGRESS",
            "a request with this Idempotency-Key is still running; ask again in a moment",
        )
    if row.claimed:
        return None
    found = row if row.request_hash is not None else (await connection.execute(_READ, scope)).one()
    if bytes(found.request_hash) != claimed.request_hash:
        raise InvalidInput(
            "IDEMPOTENCY_MISMATCH",
            "this Idempotency-Key was used for another request; send a new key for a new request",
        )
    return Replay(status=found.status, resource_id=found.resource_id)


def _lock(claimed: IdempotencyClaim) -> int:
    """A signed 64-bit number for the advisory lock; a collision costs a spurious "in progress"."""
    scope = canonical_digest(
        [str(claimed.organization_id), str(claimed.principal_id), claimed.route, claimed.key]
    )
    return int.from_bytes(scope[:8], "big", signed=True)
