"""Owns the policy's routes: the active set, drafts, the first activation. Must never edit a set."""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.auth import Provided, requires
from api.views import Body, Instant, Most, Page
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
    before: Annotated[int | None, Query(description="`next` of the page before")] = None,
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
