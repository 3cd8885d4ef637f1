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

from treasurer.db.pipeline import Pipelined
from treasurer.kernel.digest import Canonical, canonical_digest, digest
from treasurer.kernel.errors import Conflict, InvalidInput
from treasurer.kernel.ids import OrganizationId, UserId
from treasurer.kernel.organization import Principal

_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)

# The advisory lock tells "in progress" at once, where a plain insert would wait for the other
# transaction to end. `found` reads the statement's snapshot: a row committed since then shows only
# as an insert that did nothing, which `_READ` resolves. LATERAL and LIMIT look each key up; a join
# would be planned as a pass over all of the organization's.
_CLAIM = text("""
    WITH asked AS MATERIALIZED (
        SELECT *, pg_try_advisory_xact_lock(lock) AS free
        FROM unnest(CAST(:principal_ids AS uuid[]), CAST(:routes AS text[]), CAST(:keys AS text[]),
                    CAST(:locks AS bigint[]), CAST(:hashes AS bytea[]), CAST(:resources AS uuid[]))
            WITH ORDINALITY AS a (principal_id, route, key, lock, request_hash, resource_id,
                                  position)),
    inserted AS (
        INSERT INTO idempotency_keys (organization_id, principal_id, route, key, request_hash,
                                      status, resource_id, created_at)
        SELECT CAST(:organization_id AS uuid), principal_id, route, key, request_hash,
               CAST(:status AS smallint), resource_id, CAST(:now AS timestamptz)
        FROM asked WHERE free
        ON CONFLICT DO NOTHING
        RETURNING principal_id, route, key)
    SELECT a.free, i.key IS NOT NULL AS claimed, found.request_hash, found.status,
           found.resource_id
    FROM asked a
    LEFT JOIN inserted i USING (principal_id, route, key)
    LEFT JOIN LATERAL (
        SELECT k.request_hash, k.status, k.resource_id FROM idempotency_keys k
        WHERE k.organization_id = :organization_id AND k.principal_id = a.principal_id
          AND k.route = a.route AND k.key = a.key LIMIT 1) AS found ON true
    ORDER BY a.position
""")
_READ = text("""
    SELECT k.request_hash, k.status, k.resource_id
    FROM unnest(CAST(:principal_ids AS uuid[]), CAST(:routes AS text[]), CAST(:keys AS text[]))
        WITH ORDINALITY AS a (principal_id, route, key, position)
    JOIN idempotency_keys k
      ON k.organization_id = :organization_id AND k.principal_id = a.principal_id
     AND k.route = a.route AND k.key = a.key
    ORDER BY a.position
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


ClaimOutcome = Replay | InvalidInput | Conflict | None
"""None for a fresh key: go on, and commit the effect with the claim. A Replay of an earlier request:
make nothing, answer its status with the present state of its resource. InvalidInput
IDEMPOTENCY_MISMATCH for another request under the same key, and Conflict IDEMPOTENCY_IN_PROGRESS while
another transaction holds the key: to be raised to whoever sent that request, and to nobody else.
"""


async def claim(
    connection: Pipelined,
    organization_id: OrganizationId,
    claims: Sequence[tuple[IdempotencyClaim, UUID]],
    *,
    status: int,
    now: datetime,
) -> list[ClaimOutcome]:
    """Record claims with the answers that this transaction is about to earn: `status`, and each's id.

    All claims are of this organization. An outcome for each, as if they came one after the other: of
    equal keys the first is fresh, and later ones repeat it or are refused.
    """
    firsts: dict[tuple[int, str, str], tuple[IdempotencyClaim, UUID]] = {}
    scopes = [_scope(claimed) for claimed, _ in claims]
    for scope, each in zip(scopes, claims, strict=True):
        firsts.setdefault(scope, each)
    if not firsts:
        return []
    found = await _claim_distinct(connection, organization_id, list(firsts.values()), status, now)
    held = dict(zip(firsts, found, strict=True))
    outcomes: list[ClaimOutcome] = []
    for scope, (claimed, resource_id) in zip(scopes, claims, strict=True):
        first, first_id = firsts[scope]
        outcome = held[scope]
        if outcome is None and first_id != resource_id:
            outcome = _Held(first.request_hash, status, first_id)
        outcomes.append(outcome.answer(claimed) if isinstance(outcome, _Held) else outcome)
    return outcomes


@dataclass(frozen=True, slots=True)
class _Held:
    """A key that was claimed before, by what, and with which answer."""

    request_hash: bytes
    status: int
    resource_id: UUID

    def answer(self, claimed: IdempotencyClaim) -> Replay | InvalidInput:
        if self.request_hash == claimed.request_hash:
            return Replay(self.status, self.resource_id)
        return InvalidInput(
            "IDEMPOTENCY_MISMATCH",
            "this Idempotency-Key was used for another request; send a new key for a new request",
        )


async def _claim_distinct(
    connection: Pipelined,
    organization_id: OrganizationId,
    claims: Sequence[tuple[IdempotencyClaim, UUID]],
    status: int,
    now: datetime,
) -> list[_Held | Conflict | None]:
    """What became of claims of which no two have the same key."""
    rows = await connection.fetch(
        _CLAIM,
        {
            **_scopes(organization_id, [claimed for claimed, _ in claims]),
            "locks": [_lock(claimed) for claimed, _ in claims],
            "hashes": [claimed.request_hash for claimed, _ in claims],
            "resources": [resource_id for _, resource_id in claims],
            "status": status,
            "now": now,
        },
    )
    outcomes: list[_Held | Conflict | None] = []
    unseen: list[int] = []
    for place, (free, fresh, *held) in enumerate(rows):
        if not free:
            outcomes.append(_in_progress())
        elif held[0] is not None:
            outcomes.append(_Held(*held))
        else:
            outcomes.append(None)
            if not fresh:
                unseen.append(place)
    if unseen:
        late = await connection.fetch(
            _READ, _scopes(organization_id, [claims[place][0] for place in unseen])
        )
        for place, row in zip(unseen, late, strict=True):
            outcomes[place] = _Held(*row)
    return outcomes


def _scopes(
    organization_id: OrganizationId, claims: Sequence[IdempotencyClaim]
) -> dict[str, object]:
    return {
        "organization_id": organization_id,
        "principal_ids": [claimed.principal_id for claimed in claims],
        "routes": [claimed.route for claimed in claims],
        "keys": [claimed.key for claimed in claims],
    }


def _scope(claimed: IdempotencyClaim) -> tuple[int, str, str]:
    # The number of the id: ids are hashed and compared by functions of Python's own.
    return claimed.principal_id.int, claimed.route, claimed.key


def _in_progress() -> Conflict:
    return Conflict(
        "IDEMPOTENCY_IN_PROGRESS",
        "a request with this Idempotency-Key is still running; ask again in a moment",
    )


def _lock(claimed: IdempotencyClaim) -> int:
    """A signed 64-bit number for the advisory lock; a collision costs a spurious "in progress"."""
    # A route and a key hold no zero byte, and ids have one length.
    scope = f"{claimed.route}\0{claimed.key}".encode()
    found = digest(claimed.organization_id.bytes + claimed.principal_id.bytes + scope)
    return int.from_bytes(found[:8], "big", signed=True)
