"""Owns what the demonstration's people do: submit, wait, approve. Must never reach past the REST API."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import httpx
from tenacity import AsyncRetrying, RetryError, retry_if_result, stop_after_delay, wait_fixed

from treasurer.bootstrap import open_core
from treasurer.cli.demo import DEADLINE_S, Report, Stopwatch
from treasurer.cli.demonstration import APPROVER, CLERK
from treasurer.kernel.errors import Transient
from treasurer.settings import Settings

INVOICE = """INVOICE HF-1101
From: Halden Freight AS
Bill to: Norwick Instruments Ltd
Invoice date: 2026-11-20
PO: PO-7781
Total due: 640.00 USDC
Due: 2026-12-10
"""

Json = dict[str, Any]
Found = TypeVar("Found")


async def tell(settings: Settings, report: Report, watch: Stopwatch) -> None:
    """Submit an invoice as the clerk, approve the waiting payment as the approver, await the ends."""
    tokens = await _tokens(settings)
    async with (
        _client(settings, tokens[CLERK]) as clerk,
        _client(settings, tokens[APPROVER]) as approver,
    ):
        await _until(partial(_one, clerk, "settled"), "the first settlement")
        watch.mark("first_settlement")
        submitted = await clerk.post(
            "/api/v1/invoices",
            content=INVOICE.encode(),
            headers={"Content-Type": "text/plain; charset=utf-8", "Idempotency-Key": "demo-1"},
        )
        report.checks["submitted_by_rest"] = submitted.status_code == 202
        again = await clerk.post(
            "/api/v1/invoices",
            content=INVOICE.encode(),
            headers={"Content-Type": "text/plain; charset=utf-8", "Idempotency-Key": "demo-1"},
        )
        report.checks["same_key_same_invoice"] = again.json()["id"] == submitted.json()["id"]
        watch.mark("submitted")
        waiting = await _until(partial(_one, clerk, "awaiting_approval"), "a waiting payment")
        report.checks["maker_cannot_approve"] = await _vote(clerk, waiting) == 403
        report.checks["approved_by_second_person"] = await _vote(approver, waiting) == 200
        watch.mark("approved")
        denied = await _until(partial(_one, clerk, "denied"), "a denied payment")
        report.checks["denied_with_reason"] = len(denied["explanation"]) > 20
        await _until(partial(_many, clerk, "settled", 3), "three settlements")
        watch.mark("all_settled")


async def _tokens(settings: Settings) -> Mapping[str, str]:
    core = open_core(settings, pool_size=2)
    try:
        sessions = {email: await core.identity.session_for(email) for email in (CLERK, APPROVER)}
    finally:
        await core.close()
    return {email: session.access_token for email, session in sessions.items()}


def _client(settings: Settings, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=settings.url, headers={"Authorization": f"Bearer {token}"}, timeout=10
    )


async def _vote(client: httpx.AsyncClient, payment: Json) -> int:
    page = (await client.get("/api/v1/approvals")).raise_for_status().json()
    (request,) = [item for item in page["items"] if item["payment_id"] == payment["id"]]
    answer = await client.post(
        f"/api/v1/approvals/{request['id']}/votes",
        json={"choice": "approve", "order_digest": request["order_digest"]},
    )
    return answer.status_code


async def _one(client: httpx.AsyncClient, state: str) -> Json | None:
    found = await _many(client, state, 1)
    return found[0] if found else None


async def _many(client: httpx.AsyncClient, state: str, count: int) -> list[Json] | None:
    page = await client.get("/api/v1/payments", params={"state": state})
    items: list[Json] = page.raise_for_status().json()["items"]
    return items if len(items) >= count else None


async def _until(look: Callable[[], Awaitable[Found | None]], what: str) -> Found:
    """What `look` finds, asked again every quarter of a second. Raises Transient at the deadline."""
    retrying = AsyncRetrying(
        stop=stop_after_delay(DEADLINE_S),
        wait=wait_fixed(0.25),
        retry=retry_if_result(lambda found: found is None),
    )
    try:
        found: Found | None = await retrying(look)
    except RetryError:
        raise Transient("DEMO_TIMEOUT", f"waited {DEADLINE_S:g} s in vain for {what}") from None
    assert found is not None
    return found
