"""I15: the same request under a key is answered once, another one is refused, in every interleaving."""

import asyncio
import hashlib
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from tests.support.clock import START
from tests.support.organization import TestOrganization, create_organization
from treasurer.db.engine import Database
from treasurer.db.pipeline import Pipelined
from treasurer.identity.idempotency import IdempotencyClaim, Replay, claim, claim_for
from treasurer.kernel.errors import Conflict, InvalidInput, TreasurerError
from treasurer.kernel.organization import Principal

ROUTE = "POST /api/v1/invoices"


def _claim(principal: Principal, **change: object) -> IdempotencyClaim:
    request = {
        "route": ROUTE,
        "key": "k-1",
        "fields": {"filename": "a.xml"},
        "blobs": [b"<Invoice/>"],
        **change,
    }
    return claim_for(principal, **request)  # type: ignore[arg-type]


async def _send(
    database: Database, claimed: IdempotencyClaim, resource_id: UUID, status: int = 202
) -> Replay | None:
    async with database.pipeline(claimed.organization_id) as connection:
        return await _claim_one(connection, claimed, resource_id, status)


async def _claim_one(
    connection: Pipelined, claimed: IdempotencyClaim, resource_id: UUID, status: int = 202
) -> Replay | None:
    (outcome,) = await claim(
        connection, claimed.organization_id, [(claimed, resource_id)], status=status, now=START
    )
    if isinstance(outcome, TreasurerError):
        raise outcome
    return outcome


async def test_the_same_request_gets_the_first_answer(
    database: Database, organization: TestOrganization
) -> None:
    first = uuid4()
    assert await _send(database, _claim(organization.clerk), first, 202) is None
    again = await _send(database, _claim(organization.clerk), uuid4(), 201)
    assert again == Replay(status=202, resource_id=first)


@pytest.mark.parametrize(
    "change", [{"fields": {"filename": "b.xml"}}, {"blobs": [b"<Invoice />"]}, {"blobs": []}]
)
async def test_another_request_under_the_key_is_refused(
    database: Database, organization: TestOrganization, change: dict[str, object]
) -> None:
    await _send(database, _claim(organization.clerk), uuid4())
    with pytest.raises(InvalidInput, match="IDEMPOTENCY_MISMATCH"):
        await _send(database, _claim(organization.clerk, **change), uuid4())


def test_the_spelling_of_a_request_does_not_count(organization: TestOrganization) -> None:
    one = _claim(organization.clerk, fields={"a": 1, "b": [True, None]})
    two = _claim(organization.clerk, fields={"b": [True, None], "a": 1})
    assert one == two


async def test_keys_are_apart_by_organization_principal_route_and_key(
    database: Database, organization: TestOrganization
) -> None:
    other = await create_organization(database)
    claims = [
        _claim(organization.clerk),
        _claim(organization.cfo),
        _claim(organization.clerk, route="POST /api/process-invoice"),
        _claim(organization.clerk, key="k-2"),
        _claim(other.clerk),
    ]
    assert [await _send(database, each, uuid4()) for each in claims] == [None] * 5


async def test_a_claim_falls_with_its_transaction(
    database: Database, organization: TestOrganization
) -> None:
    claimed = _claim(organization.clerk)
    with pytest.raises(RuntimeError):
        async with database.pipeline(organization.id) as connection:
            await _claim_one(connection, claimed, uuid4())
            raise RuntimeError("the effect failed: 5xx")
    assert await _send(database, claimed, uuid4()) is None


async def test_while_the_first_runs_the_second_is_told_so(
    database: Database, organization: TestOrganization
) -> None:
    first = uuid4()
    async with database.pipeline(organization.id) as connection:
        await _claim_one(connection, _claim(organization.clerk), first)
        async with asyncio.timeout(10):  # told at once: it does not wait for the first
            with pytest.raises(Conflict, match="IDEMPOTENCY_IN_PROGRESS"):
                await _send(database, _claim(organization.clerk), uuid4())
        # Another key is not held up.
        assert await _send(database, _claim(organization.clerk, key="k-2"), uuid4()) is None
    assert await _send(database, _claim(organization.clerk), uuid4()) == Replay(202, first)


async def test_of_many_at_once_exactly_one_makes_the_effect(
    database: Database, organization: TestOrganization
) -> None:
    async def send() -> Replay | None:
        while True:
            try:
                return await _send(database, _claim(organization.clerk), uuid4())
            except Conflict:
                await asyncio.sleep(0)

    answers = await asyncio.gather(*(send() for _ in range(16)))
    fresh = [answer for answer in answers if answer is None]
    replays = {answer.resource_id for answer in answers if answer is not None}
    assert (len(fresh), len(replays)) == (1, 1)


async def test_the_row_holds_hashes_and_the_id_only(
    database: Database, organization: TestOrganization
) -> None:
    resource_id = uuid4()
    await _send(database, _claim(organization.clerk), resource_id)
    async with database.unit(organization.id) as connection:
        rows = await connection.execute(text("SELECT * FROM idempotency_keys"))
        assert [dict(row) for row in rows.mappings()] == [
            {
                "organization_id": organization.id,
                "principal_id": organization.clerk.user_id,
                "route": ROUTE,
                "key": "k-1",
                "request_hash": hashlib.sha256(
                    b'{"blobs":["'
                    + hashlib.sha256(b"<Invoice/>").hexdigest().encode()
                    + b'"],"fields":{"filename":"a.xml"}}'
                ).digest(),
                "status": 202,
                "resource_id": resource_id,
                "created_at": START,
            }
        ]


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256, "a\n", "\x00"])
def test_a_malformed_key_is_refused(organization: TestOrganization, key: str) -> None:
    with pytest.raises(InvalidInput, match="IDEMPOTENCY_KEY_SYNTAX"):
        _claim(organization.clerk, key=key)
