"""Owns the SQL of invoices and their documents. Must never store a document without its invoice."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.db import keyset
from treasurer.db.pipeline import Answers
from treasurer.documents.reading import Reading, Severity
from treasurer.invoices.assessment import Assessment
from treasurer.invoices.duplicates import Comparable
from treasurer.invoices.model import (
    Invoice,
    InvoiceDocument,
    InvoiceFinding,
    InvoiceKind,
    InvoiceState,
)
from treasurer.invoices.numbers import number_key, number_skeleton
from treasurer.kernel.ids import InvoiceId, OrganizationId, PayeeId, UserId
from treasurer.kernel.money import Asset
from treasurer.purchases.model import MatchState

_COLUMNS = """i.id, i.state, i.channel, i.document_sha256, d.media_type, d.filename, i.submitted_by,
    i.received_at, i.findings, i.payee_id, y.code AS payee_code, y.name AS payee_name,
    i.invoice_number, i.issue_date, i.due_date, i.currency, i.currency_decimals,
    i.payable_amount_minor, i.open_amount_minor, i.kind,
    i.purchase_state"""
_JOINS = """FROM invoices i
    JOIN documents d ON d.organization_id = i.organization_id AND d.sha256 = i.document_sha256
    LEFT JOIN payees y ON y.organization_id = i.organization_id AND y.id = i.payee_id"""

# One statement, one round trip. A document that is here already keeps its first row. Documents are
# written in one order, so that two groups that share some wait for each other and never both.
# `earlier_id` is the first of the same bytes in the group itself, which no row shows yet. OFFSET 0
# keeps the order out of the search: walking all ids in order until one has these bytes looks cheap.
_RECEIVE = text("""
    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:sha256s AS bytea[]),
                             CAST(:media_types AS text[]), CAST(:filenames AS text[]),
                             CAST(:contents AS bytea[]), CAST(:channels AS text[]),
                             CAST(:submitters AS uuid[]), CAST(:earlier_ids AS uuid[]))
            WITH ORDINALITY AS a (id, sha256, media_type, filename, content, channel, submitted_by,
                                  earlier_id, position)),
    kept AS (
        INSERT INTO documents (organization_id, sha256, media_type, filename, content, received_at)
        SELECT CAST(:organization_id AS uuid), sha256, media_type, filename, content,
               CAST(:now AS timestamptz)
        FROM asked WHERE earlier_id IS NULL ORDER BY sha256
        ON CONFLICT DO NOTHING),
    stored AS (
        INSERT INTO invoices (organization_id, id, state, channel, document_sha256, submitted_by,
                              received_at, findings)
        SELECT CAST(:organization_id AS uuid), id, 'received', channel, sha256, submitted_by,
               CAST(:now AS timestamptz),
               CASE WHEN seen_id IS NULL THEN '[]'
                    ELSE jsonb_build_array(CAST(:seen_finding AS jsonb)
                                           || jsonb_build_object('other_invoice_id', seen_id)) END
        FROM asked, LATERAL (
            SELECT coalesce((SELECT id FROM (SELECT i.id FROM invoices i
                                             WHERE i.organization_id = :organization_id
                                               AND i.document_sha256 = asked.sha256
                                               AND i.state <> 'rejected' OFFSET 0) AS same
                             ORDER BY id LIMIT 1), asked.earlier_id) AS seen_id) AS seen
        ORDER BY position
        RETURNING id, findings)
    SELECT id, findings FROM stored WHERE findings <> '[]'
""")
_ONE = text(f"SELECT {_COLUMNS} {_JOINS} WHERE i.organization_id = :organization_id AND i.id = :id")
_ALL = text(f"""
    SELECT {_COLUMNS} {_JOINS}
    WHERE i.organization_id = :organization_id AND i.id = ANY(CAST(:ids AS uuid[]))
""")
_LOCK = text(f"""
    SELECT {_COLUMNS} {_JOINS} WHERE i.organization_id = :organization_id AND i.id = :id
    FOR NO KEY UPDATE OF i
""")
_PAGE = text(f"""
    SELECT {_COLUMNS} {_JOINS} WHERE i.organization_id = :organization_id
    {keyset.newest_first("i")}
""")
_DOCUMENT = text("""
    SELECT d.content, d.media_type, d.filename, d.sha256
    FROM invoices i
    JOIN documents d ON d.organization_id = i.organization_id AND d.sha256 = i.document_sha256
    WHERE i.organization_id = :organization_id AND i.id = :id
""")
_READING = text("""
    SELECT reading FROM invoices WHERE organization_id = :organization_id AND id = :id
""")
# Invoices of the same payee whose number has this skeleton, extends it or is its beginning, and those
# of the same lines, text or bytes. Each branch is a bounded lookup by key: LIKE would not be, because
# row-level security keeps an index from it, and an order by id would
# tempt the planner to walk all rows by id. A row without a payee was not read and was not first.
_COMPARED = """id, state, document_sha256, invoice_number, currency, currency_decimals,
    payable_amount_minor, issue_date, lines_digest, text_digest"""
_EARLIER = f"""SELECT {_COMPARED} FROM invoices
    WHERE organization_id = :organization_id AND id <> :id AND kind = :kind
      AND state NOT IN ('rejected', 'duplicate')"""
OTHERS = text(f"""
    ({_EARLIER} AND payee_id = CAST(:payee_id AS uuid)
        AND invoice_number_skeleton = ANY(:beginnings) LIMIT 50)
    UNION ({_EARLIER} AND payee_id = CAST(:payee_id AS uuid)
        AND invoice_number_skeleton ~>~ :skeleton AND invoice_number_skeleton ~<~ :beyond
        AND length(invoice_number_skeleton) <= :longest LIMIT 50)
    UNION ({_EARLIER} AND payee_id = CAST(:payee_id AS uuid)
        AND lines_digest = :lines_digest LIMIT 20)
    UNION ({_EARLIER} AND text_digest = :text_digest LIMIT 20)
    UNION ({_EARLIER} AND document_sha256 = :sha256 AND state <> 'received' LIMIT 20)
    ORDER BY id
""")
_RECORD = text("""
    UPDATE invoices
    SET state = :state, reading = CAST(:reading AS jsonb), findings = CAST(:findings AS jsonb),
        payee_id = :payee_id, invoice_number = :number, invoice_number_key = :key,
        invoice_number_skeleton = :skeleton, issue_date = :issue_date, due_date = :due_date,
        currency = :currency, currency_decimals = :decimals, payable_amount_minor = :amount,
        open_amount_minor = :amount, lines_digest = :lines_digest, text_digest = :text_digest,
        kind = :kind, preceding_number_key = :preceding_key, purchase_state = :purchase_state,
        purchase_order_id = :order_id, order_net_minor = :order_net
    WHERE organization_id = :organization_id AND id = :id
""")
_SET_ASIDE = text("""
    UPDATE invoices SET state = :state, findings = findings || CAST(:findings AS jsonb)
    WHERE organization_id = :organization_id AND id = :id
""")

_BEGINNING = 4
"""How much longer a variant of a number may be."""


async def receive(
    connection: Answers,
    organization_id: OrganizationId,
    invoices: Sequence[Invoice],
    contents: Sequence[bytes],
    *,
    seen_before: InvoiceFinding,
    now: datetime,
) -> dict[InvoiceId, tuple[InvoiceFinding, ...]]:
    """Store blobs and rows, as if one after the other; `contents` are the invoices' documents.

    Returns the findings of those whose bytes were known: `seen_before`, naming the earlier invoice.
    """
    first: dict[bytes, InvoiceId] = {}
    earlier = []
    for invoice in invoices:
        known = first.setdefault(invoice.document_sha256, invoice.id)
        earlier.append(None if known == invoice.id else known)
    rows = await connection.fetch(
        _RECEIVE,
        {
            "organization_id": organization_id,
            "ids": [invoice.id for invoice in invoices],
            "sha256s": [invoice.document_sha256 for invoice in invoices],
            "media_types": [invoice.media_type for invoice in invoices],
            "filenames": [invoice.filename for invoice in invoices],
            "contents": contents,
            "channels": [invoice.channel for invoice in invoices],
            "submitters": [invoice.submitted_by for invoice in invoices],
            "earlier_ids": earlier,
            "seen_finding": orjson.dumps(seen_before.to_json()).decode(),
            "now": now,
        },
    )
    return {InvoiceId(id_): _findings(findings) for id_, findings in rows}


async def get_all(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[InvoiceId]
) -> dict[InvoiceId, Invoice]:
    """Those of `ids` that are here."""
    rows = await connection.execute(_ALL, {"organization_id": organization_id, "ids": ids})
    found = [_invoice(row) for row in rows.mappings()]
    return {invoice.id: invoice for invoice in found}


async def get(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    invoice_id: InvoiceId,
    *,
    lock: bool = False,
) -> Invoice | None:
    """One invoice; with `lock`, its row is locked until the commit."""
    rows = await connection.execute(
        _LOCK if lock else _ONE, {"organization_id": organization_id, "id": invoice_id}
    )
    row = rows.mappings().one_or_none()
    return _invoice(row) if row else None


async def page(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    *,
    before: InvoiceId | None,
    most: int,
    state: InvoiceState | None,
) -> list[Invoice]:
    """Newest first, keyset by id."""
    rows = await connection.execute(
        _PAGE, keyset.keys(organization_id, before=before, most=most, state=state)
    )
    return [_invoice(row) for row in rows.mappings()]


async def document(
    connection: AsyncConnection, organization_id: OrganizationId, invoice_id: InvoiceId
) -> InvoiceDocument | None:
    """The invoice's bytes as received."""
    rows = await connection.execute(
        _DOCUMENT, {"organization_id": organization_id, "id": invoice_id}
    )
    row = rows.mappings().one_or_none()
    if row is None:
        return None
    return InvoiceDocument(
        bytes(row["content"]), row["media_type"], row["filename"], bytes(row["sha256"])
    )


async def reading(
    connection: AsyncConnection, organization_id: OrganizationId, invoice_id: InvoiceId
) -> dict[str, Any] | None:
    """The stored reading in its wire shape, None before it is read."""
    row = await connection.execute(_READING, {"organization_id": organization_id, "id": invoice_id})
    found: dict[str, Any] | None = row.scalar_one_or_none()
    return found


def others_parameters(
    organization_id: OrganizationId, invoice: Comparable, payee_id: PayeeId | None
) -> dict[str, Any]:
    """The keys under which `OTHERS` looks."""
    skeleton = number_skeleton(invoice.invoice_number or "")
    shortest = max(1, len(skeleton) - _BEGINNING)
    return {
        "organization_id": organization_id,
        "id": invoice.id,
        "payee_id": payee_id,
        "sha256": invoice.document_sha256,
        "beginnings": [skeleton[:end] for end in range(shortest, len(skeleton) + 1)],
        "skeleton": skeleton,
        "beyond": f"{skeleton}\U0010ffff" if skeleton else "",
        "longest": len(skeleton) + _BEGINNING,
        "lines_digest": invoice.lines_digest,
        "text_digest": invoice.text_digest,
        "kind": invoice.kind.value,
    }


async def others(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    invoice: Comparable,
    payee_id: PayeeId | None,
) -> list[Comparable]:
    """Read invoices that `invoice` may repeat: of its payee by number or lines, or by text or bytes."""
    rows = await connection.execute(OTHERS, others_parameters(organization_id, invoice, payee_id))
    return [
        Comparable(
            id=InvoiceId(row["id"]),
            state=InvoiceState(row["state"]),
            document_sha256=bytes(row["document_sha256"]),
            invoice_number=row["invoice_number"],
            currency=_asset(row),
            payable_amount_minor=_integer(row["payable_amount_minor"]),
            issue_date=row["issue_date"],
            lines_digest=_bytes(row["lines_digest"]),
            text_digest=_bytes(row["text_digest"]),
        )
        for row in rows.mappings()
    ]


async def record(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    invoice_id: InvoiceId,
    reading: Reading,
    assessment: Assessment,
    *,
    read_by: str,
) -> None:
    """Write what was read, and by whom. The caller holds the row's lock and has checked the transition."""
    terms, payee = assessment.terms, assessment.match.payee
    number, order = terms.invoice_number, assessment.order
    await connection.execute(
        _RECORD,
        {
            "organization_id": organization_id,
            "id": invoice_id,
            "state": assessment.state.value,
            "reading": orjson.dumps(reading.to_json() | {"read_by": read_by}).decode(),
            "findings": _dump(assessment.findings),
            "payee_id": payee.id if payee else None,
            "number": number,
            "key": number_key(number) if number else None,
            "skeleton": number_skeleton(number) if number else None,
            "issue_date": terms.issue_date,
            "due_date": terms.due_date,
            "currency": terms.currency.symbol if terms.currency else None,
            "decimals": terms.currency.decimals if terms.currency else None,
            "amount": terms.payable_amount_minor,
            "lines_digest": assessment.comparable.lines_digest,
            "text_digest": assessment.comparable.text_digest,
            "kind": assessment.comparable.kind.value,
            "purchase_state": order.state.value if order else None,
            "order_id": order.order_id if order else None,
            "order_net": order.billed_minor if order else None,
            "preceding_key": number_key(terms.preceding_number or "") or None,
        },
    )


async def set_aside(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    invoice_id: InvoiceId,
    state: InvoiceState,
    finding: InvoiceFinding,
) -> None:
    """Move a read invoice out of the way, adding why."""
    await connection.execute(
        _SET_ASIDE,
        {
            "organization_id": organization_id,
            "id": invoice_id,
            "state": state.value,
            "findings": _dump([finding]),
        },
    )


def _dump(findings: Sequence[InvoiceFinding]) -> str:
    return orjson.dumps([finding.to_json() for finding in findings]).decode()


def _findings(rows: list[dict[str, str | None]]) -> tuple[InvoiceFinding, ...]:
    return tuple(
        InvoiceFinding(
            code=str(row["code"]),
            message=str(row["message"]),
            field=row["field"],
            severity=Severity(str(row["severity"])),
            other_invoice_id=_invoice_id(row["other_invoice_id"]),
        )
        for row in rows
    )


def _invoice_id(text_: str | None) -> InvoiceId | None:
    return InvoiceId(UUID(text_)) if text_ else None


def _asset(row: RowMapping) -> Asset | None:
    return Asset(row["currency"], row["currency_decimals"]) if row["currency"] else None


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def _integer(value: Any) -> int | None:
    return None if value is None else int(value)


def _invoice(row: RowMapping) -> Invoice:
    return Invoice(
        id=InvoiceId(row["id"]),
        state=InvoiceState(row["state"]),
        channel=row["channel"],
        document_sha256=bytes(row["document_sha256"]),
        media_type=row["media_type"],
        filename=row["filename"],
        submitted_by=UserId(row["submitted_by"]),
        received_at=row["received_at"],
        findings=_findings(row["findings"]),
        payee_id=PayeeId(row["payee_id"]) if row["payee_id"] else None,
        payee_code=row["payee_code"],
        payee_name=row["payee_name"],
        invoice_number=row["invoice_number"],
        issue_date=row["issue_date"],
        due_date=row["due_date"],
        currency=_asset(row),
        payable_amount_minor=_integer(row["payable_amount_minor"]),
        open_amount_minor=_integer(row["open_amount_minor"]),
        kind=InvoiceKind(row["kind"]),
        purchase_state=MatchState(row["purchase_state"]) if row["purchase_state"] else None,
    )
