"""From a transaction back to the bytes, and what a changed byte on the way does."""

import hashlib

import pytest
from sqlalchemy import text

from tests.support.browser import Dashboard
from tests.support.organization import create_organization
from treasurer.cli.trace import holds, in_words
from treasurer.kernel.errors import InvalidInput, NotPermitted
from treasurer.reports.provenance import to_json, transaction_hash


async def attempted(dashboard: Dashboard) -> bytes:
    """The hash of the one transaction that was signed."""
    async with dashboard.services.database.unit(dashboard.organization.id) as connection:
        rows = await connection.execute(text("SELECT transaction_hash FROM attempts"))
        return bytes(rows.scalar_one())


async def test_a_transaction_leads_back_to_the_bytes(dashboard: Dashboard) -> None:
    payment = await dashboard.payment_of(await dashboard.sample("halden-hf-1001.xml"))
    await dashboard.settle(payment)
    reports, cfo = dashboard.pages.reports, dashboard.organization.cfo
    printed = f"0x{(await attempted(dashboard)).hex()}"
    hash_ = transaction_hash(printed)
    found = await reports.provenance(cfo, 31337, hash_)
    assert found is not None
    (item,) = found["items"]
    assert (item["payment_id"], item["payee"]["code"]) == (str(payment.id), "V-001")
    assert (item["amount_minor"], item["recipient"]) == ("840000000", payment.recipient)
    assert item["order_digest"] == payment.order_digest.hex()
    assert [(each["stage"], each["outcome"]) for each in item["decisions"]] == [
        ("proposal", "ALLOW")
    ]
    invoice = item["invoice"]
    document = await dashboard.pages.invoices.document(cfo, payment.invoice_id)
    assert invoice["document"]["sha256"] == hashlib.sha256(document.content).hexdigest()
    assert (invoice["number"], invoice["read_by"]) == ("HF-1001", "rules")
    evidence = invoice["evidence"]["payable_amount"]
    assert (evidence["source"], evidence["text"]) == ("xpath", "840.00")
    assert holds(found)
    assert '"payable_amount"' in to_json(found)
    words = in_words(found)
    assert words[0] == f"transaction {printed} on chain 31337"
    assert words[-1].endswith(f"{len(document.content)} bytes (holds)")

    async with dashboard.services.database.unit(dashboard.organization.id) as connection:
        await connection.execute(text("UPDATE documents SET content = content || 'x'::bytea"))
    changed = await reports.provenance(cfo, 31337, hash_)
    assert changed is not None
    assert not holds(changed)
    assert in_words(changed)[-1].endswith("(DOES NOT HOLD)")


async def test_only_the_own_organizations_auditors_may_walk(dashboard: Dashboard) -> None:
    payment = await dashboard.payment_of(await dashboard.sample("halden-hf-1001.xml"))
    await dashboard.settle(payment)
    reports = dashboard.pages.reports
    hash_ = await attempted(dashboard)
    stranger = await create_organization(dashboard.services.database)
    assert await reports.provenance(stranger.cfo, 31337, hash_) is None
    assert await reports.provenance(dashboard.organization.cfo, 1, hash_) is None
    with pytest.raises(NotPermitted):
        await reports.provenance(dashboard.organization.clerk, 31337, hash_)


@pytest.mark.parametrize("printed", ["", "0x12", "0x" + "zz" * 32, "ab" * 33])
def test_what_is_no_hash_is_refused(printed: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        transaction_hash(printed)
    assert refused.value.code == "TRANSACTION_HASH"
