"""What is the same content under another number, and what only looks like it."""

from hashlib import sha256

import pytest
from sqlalchemy import text

from tests.support.database import run_as_owner
from tests.support.invoices import invoice_service, printed, submit_and_read
from tests.support.organization import TestOrganization
from tests.support.payees import create_world, payee_service
from treasurer.documents.reading import FieldValue, PrintedLine
from treasurer.invoices import store
from treasurer.invoices.content import lines_digest, text_digest
from treasurer.invoices.duplicates import Comparable
from treasurer.invoices.model import InvoiceState
from treasurer.kernel.ids import InvoiceId, PayeeId

LINE: dict[str, FieldValue] = {"name": "Haulage", "quantity": "2", "net_amount": "40.00", "id": "1"}
OTHER: dict[str, FieldValue] = {"name": "Tolls", "quantity": "1", "net_amount": "3.50", "id": "2"}


def test_lines_compare_by_what_is_sold_and_not_by_order_or_spelling() -> None:
    first = lines_digest({"lines": [LINE, OTHER]})
    again = lines_digest(
        {"lines": [OTHER | {"id": "9"}, LINE | {"name": " HAULAGE ", "quantity": "2.0"}]}
    )
    assert first is not None
    assert again == first
    assert lines_digest({"lines": [LINE, OTHER | {"net_amount": "3.51"}]}) != first
    assert lines_digest({"lines": []}) is None
    assert lines_digest({}) is None


TERMS = "Carriage of goods under the general conditions of the Nordic association of carriers. " * 6


def digest(text_: str, number: str, *, dated: bool = True) -> bytes | None:
    lines = [PrintedLine(line, at) for at, line in enumerate(text_.splitlines(), 1)]
    return text_digest(lines, number, dated=dated)


def test_a_text_compares_without_its_number() -> None:
    body = f"Halden Freight AS, Bergen\n{TERMS}\nHaulage, 2 November 2026\nTotal 80.00 USDC"
    first = digest(f"INVOICE HF-1\n{body}", "HF-1")
    assert first is not None
    assert digest(f"Invoice  HF-778\n\n{body}", "HF-778") == first
    assert digest(f"INVOICE HF-1\n{body}.", "HF-1") != first
    assert digest(f"INVOICE HF-1\n{body}", "HF-1", dated=False) is None
    assert digest("INVOICE HF-1\nTotal 80", "HF-1") is None


@pytest.mark.parametrize("channel_number", ["QX-0077", "HF-9999"])
async def test_the_same_text_under_another_number_is_held_at_intake(
    database, clock, organization: TestOrganization, channel_number: str
) -> None:
    await create_world(payee_service(database, clock), organization)
    invoices = invoice_service(database, clock)
    people = (organization.clerk, organization.agent)
    first = await submit_and_read(invoices, *people, printed("HF-4101", note=TERMS))
    assert first.state is InvoiceState.READING
    again = await submit_and_read(invoices, *people, printed(channel_number, note=TERMS))
    assert again.state is InvoiceState.NEEDS_REVIEW
    (finding,) = [f for f in again.findings if f.code == "NEAR_DUPLICATE_INVOICE"]
    assert finding.other_invoice_id == first.id
    next_week = await submit_and_read(
        invoices, *people, printed("HF-5001", date="2026-11-27", note=TERMS)
    )
    assert next_week.state is InvoiceState.READING


async def test_the_search_for_duplicates_reads_by_key(
    database, database_urls, organization: TestOrganization
) -> None:
    many = f"""
        INSERT INTO payees (organization_id, id, code, name, name_key, name_skeleton, state,
                            created_at, created_by)
        VALUES ('{organization.id}', '{organization.id}', 'V-1', 'a', 'a', 'a', 'active', now(),
                '{organization.clerk.user_id}');
        INSERT INTO documents (organization_id, sha256, media_type, content, received_at)
        SELECT '{organization.id}', sha256(n::text::bytea), 'text/plain', 'x', now()
        FROM generate_series(1, 3000) n;
        INSERT INTO invoices (organization_id, id, state, channel, document_sha256, submitted_by,
            received_at, payee_id, invoice_number, invoice_number_skeleton, lines_digest, text_digest)
        SELECT '{organization.id}', gen_random_uuid(), 'paid', 'api', sha256(n::text::bytea),
            '{organization.clerk.user_id}', now(), '{organization.id}', n, n,
            sha256(n::text::bytea), sha256(n::text::bytea)
        FROM generate_series(1, 3000) n"""
    run_as_owner(database_urls, organization.id, *many.split(";"), "ANALYZE invoices")
    comparable = Comparable(
        InvoiceId(organization.id),
        InvoiceState.RECEIVED,
        sha256(b"1700").digest(),
        "1800",
        None,
        None,
        lines_digest=sha256(b"1900").digest(),
        text_digest=sha256(b"2000").digest(),
    )
    payee_id = PayeeId(organization.id)
    async with database.unit(organization.id) as connection:
        found = await store.others(connection, organization.id, comparable, payee_id)
        parameters = store.others_parameters(organization.id, comparable, payee_id)
        rows = await connection.execute(text(f"EXPLAIN {store.OTHERS.text}"), parameters)
        plan = [row[0] for row in rows]
    assert {other.invoice_number for other in found} == {
        "1",
        "18",
        "180",
        "1700",
        "1800",
        "1900",
        "2000",
    }
    keyed = " ".join(line for line in plan if "Index Cond" in line)
    assert not [line for line in plan if "Seq Scan" in line]
    for key in ("skeleton = ANY", "skeleton ~>~", "lines_digest =", "text_digest =", "sha256 ="):
        assert key in keyed, plan
