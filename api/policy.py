"""Owns the policy's routes: sets, and how a draft becomes the active one. Must never edit a set."""

from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.auth import Provided, requires
from api.views import Body, Instant, Most, Page
from policy.difference import differences
from policy.policy_set import parse_policy_set
from treasurer.kernel.errors import Conflict
from treasurer.kernel.ids import PolicySetId
from treasurer.kernel.organization import Permission, Principal
from treasurer.policies import store
from treasurer.policies.model import PolicySetState, StoredPolicySet

router = APIRouter(prefix="/api/v1/policy", tags=["policy"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]
Writer = Annotated[Principal, Depends(requires(Permission.POLICY_WRITE))]


class NewPolicy(Body):
    """`activate` makes an organization's first set active, by an administrator; else a draft."""

    yaml: Annotated[str, Field(max_length=200_000)]
    activate: bool = False


class PolicySetView(BaseModel):
    id: UUID
    version: int
    digest: str
    state: PolicySetState
    created_by: UUID
    created_at: Instant
    activated_by: UUID | None
    activated_at: Instant | None


class PolicySetDetail(PolicySetView):
    """With the document and a sentence or two a rule."""

    document: dict[str, Any]
    rules: list[str]


class DifferenceView(BaseModel):
    changes: list[str]


class NewBacktest(Body):
    """`since` is the first day, in UTC."""

    since: date


class SeenBacktest(Body):
    """The digest of the report that the caller has seen."""

    backtest_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BacktestView(BaseModel):
    """`report.totals` count payments and sums by what became of them and what would have."""

    digest: str
    report: dict[str, Any]


class SignOffView(BaseModel):
    user_id: UUID
    backtest_digest: str
    signed_at: Instant


@router.get("")
async def active(caller: Reader, services: Provided) -> PolicySetDetail:
    """The active set; 409 POLICY_MISSING before the first activation."""
    async with services.database.unit(caller.organization_id) as connection:
        stored = await store.active(connection, caller.organization_id)
    if stored is None:
        raise Conflict(
            "POLICY_MISSING", "no policy set is active; an administrator activates the first"
        )
    return _detail(stored)


@router.post("", status_code=201)
async def submit(body: NewPolicy, caller: Writer, services: Provided) -> PolicySetView:
    """Keep a draft, or activate the first set. Faults are named with line and column."""
    policies = services.policies
    stored = await (policies.activate_first if body.activate else policies.draft)(caller, body.yaml)
    return PolicySetView(**_fields(stored))


@router.get("/versions")
async def versions(
    caller: Reader,
    services: Provided,
    before: Annotated[
        int | None, Query(ge=0, lt=2**31, description="`next` of the page before")
    ] = None,
    most: Most = 50,
) -> Page[PolicySetView]:
    """All sets, newest version first."""
    found = await services.policies.history(caller, before=before, most=most)
    return Page(
        items=[PolicySetView(**_fields(stored)) for stored in found],
        next=str(found[-1].version) if len(found) == most else None,
    )


@router.get("/versions/{policy_set_id}")
async def version(policy_set_id: UUID, caller: Reader, services: Provided) -> PolicySetDetail:
    """One set."""
    return _detail(await services.policies.get(caller, PolicySetId(policy_set_id)))


@router.get("/versions/{policy_set_id}/difference")
async def difference(policy_set_id: UUID, caller: Reader, services: Provided) -> DifferenceView:
    """What would change, in plain English, were this set to replace the active one."""
    stored = await services.policies.get(caller, PolicySetId(policy_set_id))
    async with services.database.unit(caller.organization_id) as connection:
        active_set = await services.policies.active(connection, caller.organization_id)
    changes = differences(active_set, parse_policy_set(stored.document))
    return DifferenceView(changes=list(changes))


@router.post("/versions/{policy_set_id}/backtests", status_code=201)
async def backtest(
    policy_set_id: UUID, body: NewBacktest, caller: Writer, services: Provided
) -> BacktestView:
    """Replay all decisions since a day under this set. Sign-off and activation name the digest."""
    stored = await services.policies.get(caller, PolicySetId(policy_set_id))
    since = datetime(body.since.year, body.since.month, body.since.day, tzinfo=UTC)
    policy_set = parse_policy_set(stored.document)
    found = await services.backtests.run(caller, policy_set, since, stored.id)
    return BacktestView(digest=found.digest.hex(), report=dict(found.report.document()))


@router.post("/versions/{policy_set_id}/sign-offs", status_code=201)
async def sign_off(
    policy_set_id: UUID, body: SeenBacktest, caller: Writer, services: Provided
) -> PolicySetView:
    """Sign a simulated set off. It takes two people; the second makes it ready to activate."""
    life, digest = services.policy_life, bytes.fromhex(body.backtest_digest)
    return PolicySetView(**_fields(await life.sign_off(caller, PolicySetId(policy_set_id), digest)))


@router.get("/versions/{policy_set_id}/sign-offs")
async def sign_offs(policy_set_id: UUID, caller: Reader, services: Provided) -> list[SignOffView]:
    """Who signed a set off, in their order."""
    found = await services.policy_life.sign_offs(caller, PolicySetId(policy_set_id))
    return [
        SignOffView(
            user_id=one.user_id,
            backtest_digest=one.backtest_digest.hex(),
            signed_at=one.signed_at,
        )
        for one in found
    ]


@router.post("/versions/{policy_set_id}/activation")
async def activate(
    policy_set_id: UUID, body: SeenBacktest, caller: Writer, services: Provided
) -> PolicySetView:
    """Let a signed-off set replace the active one, by a backtest not older than a day."""
    life, digest = services.policy_life, bytes.fromhex(body.backtest_digest)
    return PolicySetView(**_fields(await life.activate(caller, PolicySetId(policy_set_id), digest)))


def _detail(stored: StoredPolicySet) -> PolicySetDetail:
    return PolicySetDetail(
        **_fields(stored),
        document=orjson.loads(stored.document),
        rules=list(parse_policy_set(stored.document).describe()),
    )


def _fields(stored: StoredPolicySet) -> dict[str, Any]:
    return {
        "id": stored.id,
        "version": stored.version,
        "digest": stored.digest.hex(),
        "state": stored.state,
        "created_by": stored.created_by,
        "created_at": stored.created_at,
        "activated_by": stored.activated_by,
        "activated_at": stored.activated_at,
    }
