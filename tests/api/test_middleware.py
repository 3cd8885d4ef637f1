"""Headers, rate limit and metrics on the outside of every request."""

import asyncio
from collections.abc import Iterable

import pytest
from redis.asyncio import Redis
from starlette.responses import PlainTextResponse

from api.services import ApiSettings
from tests.support.api import ApiWorld, open_world
from tests.support.clock import ManualClock
from tests.support.identity import dead_valkey
from tests.support.organization import TestOrganization
from treasurer.db.engine import Database

LIMITED = ApiSettings(served_over_tls=True, requests_per_minute=5, metrics_token="scrape-me")


async def test_every_answer_carries_the_security_headers(world: ApiWorld) -> None:
    for path in ("/health/live", "/api/nothing", "/openapi.json", "/api/v1/invoices"):
        headers = (await world.client.get(path)).headers
        assert headers["content-security-policy"] == (
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; "
            "object-src 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in headers
        assert "server" not in headers


async def test_over_tls_browsers_are_told_to_stay_there(
    database: Database, valkey: Redis, organization: TestOrganization, clock: ManualClock
) -> None:
    async with open_world(database, valkey, organization, clock, settings=LIMITED) as world:
        headers = (await world.client.get("/health/live")).headers
    assert headers["strict-transport-security"] == "max-age=31536000"


async def test_an_address_has_so_many_requests_a_minute(
    database: Database, valkey: Redis, organization: TestOrganization, clock: ManualClock
) -> None:
    clock.advance(seconds=15)
    async with open_world(database, valkey, organization, clock, settings=LIMITED) as world:
        assert await _statuses(world, 7) == [401] * 5 + [429] * 2
        refused = await world.client.get("/api/v1/invoices")
        assert refused.json()["code"] == "RATE_LIMITED"
        assert refused.json()["detail"] == "more than 5 requests in a minute; wait 45 seconds"
        assert refused.headers["retry-after"] == "45"
        assert refused.headers["content-type"] == "application/problem+json"
        for free in ("/health/live", "/static/page.css"):
            assert (await world.client.get(free)).status_code != 429

        async with open_world(
            database, valkey, organization, clock, settings=LIMITED, address="203.0.113.8"
        ) as neighbour:
            assert await _statuses(neighbour, 1) == [401]
        # A second process on the same Valkey counts on.
        async with open_world(database, valkey, organization, clock, settings=LIMITED) as replica:
            assert await _statuses(replica, 1) == [429]
        clock.advance(seconds=45)
        assert await _statuses(world, 1) == [401]


async def test_the_limit_holds_for_requests_at_once(
    database: Database, valkey: Redis, organization: TestOrganization, clock: ManualClock
) -> None:
    async with open_world(database, valkey, organization, clock, settings=LIMITED) as world:
        answers = await asyncio.gather(*(world.client.get("/api/v1/payees") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 15


@pytest.mark.parametrize(
    ("addresses", "statuses"),
    [
        (("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), [401] * 5 + [429]),
        (("2001:db8:1:2::1", "2001:db8:1:3::1"), [401] * 6),
    ],
)
async def test_an_ipv6_network_counts_as_one_customer(
    database: Database,
    valkey: Redis,
    organization: TestOrganization,
    clock: ManualClock,
    addresses: Iterable[str],
    statuses: list[int],
) -> None:
    found = []
    for address, count in zip(addresses, (5, 1), strict=True):
        async with open_world(
            database, valkey, organization, clock, settings=LIMITED, address=address
        ) as world:
            found += await _statuses(world, count)
    assert found == statuses


async def test_without_valkey_requests_are_served_unlimited(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    async with open_world(database, dead_valkey(), organization, clock, settings=LIMITED) as world:
        assert await _statuses(world, 12) == [401] * 12


async def test_metrics_are_for_administrators_and_the_scraper(
    database: Database, valkey: Redis, organization: TestOrganization, clock: ManualClock
) -> None:
    settings = ApiSettings(served_over_tls=False, requests_per_minute=1000, metrics_token="s3")
    async with open_world(database, valkey, organization, clock, settings=settings) as world:
        assert (await world.client.get("/metrics")).status_code == 401
        assert (await world.get("/metrics", "cfo")).status_code == 403
        wrong = await world.client.get("/metrics", headers={"Authorization": "Bearer s4"})
        assert wrong.status_code == 401
        await world.get("/api/v1/payees/0192f3c4-0000-7000-8000-000000000000")
        for scraped in (
            await world.client.get("/metrics", headers={"Authorization": "Bearer s3"}),
            await world.get("/metrics", "administrator"),
        ):
            assert scraped.status_code == 200
            assert (
                'treasurer_http_requests_total{method="GET",'
                'route="/api/v1/payees/{payee_id}",status="404"}' in scraped.text
            )
            assert "0192f3c4" not in scraped.text


async def test_without_a_metrics_token_an_empty_one_opens_nothing(world: ApiWorld) -> None:
    for header in ("Bearer ", "Bearer", "", "Bearer None"):
        answer = await world.client.get("/metrics", headers={"Authorization": header})
        assert answer.status_code == 401


async def test_pages_answer_what_is_not_ours(
    database: Database, valkey: Redis, organization: TestOrganization, clock: ManualClock
) -> None:
    pages = PlainTextResponse("a page")
    async with open_world(database, valkey, organization, clock, pages=pages) as world:
        for path in ("/", "/login", "/approvals/1"):
            answer = await world.client.get(path)
            assert (answer.status_code, answer.text) == (200, "a page")
            assert "default-src 'self'" in answer.headers["content-security-policy"]
        for path in ("/api/nothing", "/health/nothing"):
            assert (await world.client.get(path)).json()["code"] == "ROUTE_UNKNOWN"
        assert (await world.client.get("/token")).json()["code"] == "METHOD_NOT_ALLOWED"


async def _statuses(world: ApiWorld, count: int) -> list[int]:
    return [(await world.client.get("/api/v1/payees")).status_code for _ in range(count)]
