"""Owns the way back from a transaction to the bytes that caused it. Must never leave a step out.

transaction → attempt → transfer → items → payment → decisions, votes → invoice → reading with its
evidence → document, whose hash is computed again here.
"""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.clock import iso
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import OrganizationId
from treasurer.reports.people import names

_ATTEMPT = text("""
    SELECT a.transfer_id, a.number, a.kind, t.state, t.sender, t.nonce, t.block_number, t.block_hash
    FROM attempts a
    JOIN transfers t ON t.organization_id = a.organization_id AND t.id = a.transfer_id
    WHERE a.organization_id = :organization_id AND a.chain_id = :chain_id
      AND a.transaction_hash = :hash
""")
_ITEMS = text("""
    SELECT i.payment_id, i.position, i.recipient, i.amount_minor, i.order_digest, i.state, i.log_index,
        p.state AS payment_state, p.asset, p.invoice_id, p.initiator_id, p.order_bytes,
        y.code AS payee_code, y.name AS payee_name
    FROM transfer_items i
    JOIN payments p ON p.organization_id = i.organization_id AND p.id = i.payment_id
    JOIN payees y ON y.organization_id = p.organization_id AND y.id = p.payee_id
    WHERE i.organization_id = :organization_id AND i.transfer_id = :transfer_id ORDER BY i.position
""")
_DECISIONS = text("""
    SELECT id, payment_id, stage, outcome, policy_digest, facts_digest, decided_at FROM decisions
    WHERE organization_id = :organization_id AND payment_id = ANY(:payments) ORDER BY id
""")
_VOTES = text("""
    SELECT r.payment_id, r.id AS request_id, r.state, v.user_id, v.choice, v.reason, v.order_digest,
        v.voted_at
    FROM approval_requests r
    LEFT JOIN votes v ON v.organization_id = r.organization_id AND v.approval_request_id = r.id
    WHERE r.organization_id = :organization_id AND r.payment_id = ANY(:payments)
    ORDER BY r.id, v.voted_at
""")
_INVOICES = text("""
    SELECT i.id, i.state, i.channel, i.invoice_number, i.submitted_by, i.reading, i.document_sha256,
        d.media_type, d.filename, d.content
    FROM invoices i
    JOIN documents d ON d.organization_id = i.organization_id AND d.sha256 = i.document_sha256
    WHERE i.organization_id = :organization_id AND i.id = ANY(:invoices)
""")

Document = dict[str, Any]
"""A JSON object, as `--json` prints it."""


def transaction_hash(text_: str) -> bytes:
    """The 32 bytes of a printed hash. Raises InvalidInput."""
    digits = text_.strip().removeprefix("0x")
    try:
        hash_ = bytes.fromhex(digits)
    except ValueError:
        hash_ = b""
    if len(hash_) != 32:
        raise InvalidInput("TRANSACTION_HASH", "a transaction's hash is 0x and 64 hex digits")
    return hash_


async def read_provenance(
    connection: AsyncConnection, organization_id: OrganizationId, chain_id: int, hash_: bytes
) -> Document | None:
    """All that stands behind a transaction of the organization; None for one that it did not sign."""
    rows = await connection.execute(
        _ATTEMPT, {"organization_id": organization_id, "chain_id": chain_id, "hash": hash_}
    )
    attempt = rows.mappings().one_or_none()
    if attempt is None:
        return None
    found = await connection.execute(
        _ITEMS, {"organization_id": organization_id, "transfer_id": attempt["transfer_id"]}
    )
    items = found.mappings().all()
    payments = {"organization_id": organization_id, "payments": [i["payment_id"] for i in items]}
    decisions = (await connection.execute(_DECISIONS, payments)).mappings().all()
    votes = (await connection.execute(_VOTES, payments)).mappings().all()
    invoices = {
        row["id"]: row
        for row in (
            await connection.execute(
                _INVOICES,
                {
                    "organization_id": organization_id,
                    "invoices": [i["invoice_id"] for i in items if i["invoice_id"]],
                },
            )
        ).mappings()
    }
    ids: list[UUID | None] = [vote["user_id"] for vote in votes]
    ids += [invoice["submitted_by"] for invoice in invoices.values()]
    people = {
        key: person.name for key, person in (await names(connection, organization_id, ids)).items()
    }
    return {
        "transaction_hash": f"0x{hash_.hex()}",
        "chain_id": chain_id,
        "transfer": {
            "id": str(attempt["transfer_id"]),
            "state": attempt["state"],
            "sender": attempt["sender"],
            "nonce": attempt["nonce"],
            "attempt": attempt["number"],
            "kind": attempt["kind"],
            "block_number": attempt["block_number"],
            "block_hash": _hex(attempt["block_hash"]),
        },
        "items": [
            {
                **_payment(item),
                "decisions": [_decision(row) for row in decisions if _of(row, item)],
                "approvals": _approvals([row for row in votes if _of(row, item)], people),
                "invoice": _invoice(invoices.get(item["invoice_id"]), people),
            }
            for item in items
        ],
    }


def _of(row: RowMapping, item: RowMapping) -> bool:
    return bool(row["payment_id"] == item["payment_id"])


def _payment(item: RowMapping) -> Document:
    digest = hashlib.sha256(bytes(item["order_bytes"])).digest()
    return {
        "payment_id": str(item["payment_id"]),
        "payment_state": item["payment_state"],
        "item_state": item["state"],
        "position": item["position"],
        "log_index": item["log_index"],
        "recipient": item["recipient"],
        "asset": item["asset"],
        "amount_minor": str(item["amount_minor"]),
        "payee": {"code": item["payee_code"], "name": item["payee_name"]},
        "order_digest": _hex(item["order_digest"]),
        "order_digest_holds": digest == bytes(item["order_digest"]),
    }


def _decision(row: RowMapping) -> Document:
    return {
        "id": str(row["id"]),
        "stage": row["stage"],
        "outcome": row["outcome"],
        "policy_digest": _hex(row["policy_digest"]),
        "facts_digest": _hex(row["facts_digest"]),
        "decided_at": iso(row["decided_at"]),
    }


def _approvals(rows: Sequence[RowMapping], people: dict[UUID, str]) -> list[Document]:
    requests: dict[UUID, Document] = {}
    for row in rows:
        request = requests.setdefault(
            row["request_id"],
            {"request_id": str(row["request_id"]), "state": row["state"], "votes": []},
        )
        if row["user_id"] is not None:
            request["votes"].append(
                {
                    "user_id": str(row["user_id"]),
                    "name": people.get(row["user_id"]),
                    "choice": row["choice"],
                    "reason": row["reason"],
                    "order_digest": _hex(row["order_digest"]),
                    "voted_at": iso(row["voted_at"]),
                }
            )
    return list(requests.values())


def _invoice(row: RowMapping | None, people: dict[UUID, str]) -> Document | None:
    if row is None:
        return None
    reading = row["reading"] or {}
    content = bytes(row["content"])
    return {
        "id": str(row["id"]),
        "state": row["state"],
        "number": row["invoice_number"],
        "channel": row["channel"],
        "submitted_by": people.get(row["submitted_by"]),
        "read_by": reading.get("read_by"),
        "fields": reading.get("fields", {}),
        "evidence": reading.get("evidence", {}),
        "document": {
            "sha256": _hex(row["document_sha256"]),
            "media_type": row["media_type"],
            "filename": row["filename"],
            "bytes": len(content),
            "sha256_holds": hashlib.sha256(content).digest() == bytes(row["document_sha256"]),
        },
    }


def _hex(value: bytes | None) -> str | None:
    return None if value is None else bytes(value).hex()


def to_json(document: Document) -> str:
    """One JSON object, keys in order."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2).decode()
