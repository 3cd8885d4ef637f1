"""The two ways to the busiest route, in front of the framework and through it, do the same."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from api.invoice_views import invoice_json, invoice_view
from api.main import ROUTERS
from tests.support.api import ApiWorld
from treasurer.documents.reading import Severity
from treasurer.invoices.model import Invoice, InvoiceFinding, InvoiceState
from treasurer.kernel.ids import InvoiceId, PayeeId, UserId
from treasurer.kernel.money import Asset
from treasurer.purchases.model import MatchState

RECEIVED = Invoice(
    id=InvoiceId(UUID(int=1)),
    state=InvoiceState.RECEIVED,
    channel="api",
    document_sha256=bytes(32),
    media_type="text/plain",
    filename=None,
    submitted_by=UserId(UUID(int=2)),
    received_at=datetime(2026, 11, 27, 8, 30, tzinfo=UTC),
    findings=(),
)
PAID = replace(
    RECEIVED,
    state=InvoiceState.PAID,
    filename="Rechnung \u00e4.pdf",
    findings=(InvoiceFinding("SEEN", "seen before", None, Severity.NOTE, InvoiceId(UUID(int=3))),),
    payee_id=PayeeId(UUID(int=4)),
    payee_code="halden",
    payee_name="Halden Freight AS",
    invoice_number="HF-1",
    issue_date=date(2026, 11, 20),
    due_date=date(2026, 12, 10),
    currency=Asset("USDC", 6),
    payable_amount_minor=840_000_000,
    open_amount_minor=0,
    purchase_state=MatchState.MATCHED,
)


@pytest.mark.parametrize("invoice", [RECEIVED, PAID])
def test_an_answer_is_spelt_as_the_described_shape(invoice: Invoice) -> None:
    assert json.loads(invoice_json(invoice)) == json.loads(invoice_view(invoice).model_dump_json())


async def test_the_door_stands_before_the_frameworks_routes(world: ApiWorld) -> None:
    assert len(world.app.router.routes) > len(ROUTERS)
    assert type(world.app.router.routes[0]).__name__ == "SubmitDoor"


@pytest.mark.parametrize("query", ["", "?filename=a.txt"])
async def test_both_ways_ask_for_the_same(world: ApiWorld, query: str) -> None:
    path = f"/api/v1/invoices{query}"
    nobody = await world.client.post(path, content="INVOICE 1")
    assert (nobody.status_code, nobody.json()["code"]) == (401, "NOT_AUTHENTICATED")
    auditor = await world.client.post(
        path, content="INVOICE 1", headers=await world.bearer("auditor")
    )
    assert (auditor.status_code, auditor.json()["code"]) == (403, "PERMISSION_MISSING")
    clerk = await world.bearer("clerk")
    empty = await world.client.post(path, content=" ", headers=clerk)
    assert (empty.status_code, empty.json()["code"]) == (422, "DOCUMENT_EMPTY")
    key = {"Idempotency-Key": f"both{len(query)}"}
    first, again = [
        await world.client.post(path, content="INVOICE 1", headers=clerk | key) for _ in range(2)
    ]
    assert first.status_code == again.status_code == 202
    assert first.headers["location"] == f"/api/v1/invoices/{first.json()['id']}"
    assert again.json()["id"] == first.json()["id"]
