"""Owns the sanctions list that payees are screened against. Must never keep part of a list.

A file, one entry a line: an address (0x…), or a name. A list replaces the one before it, whole.
Matching is exact: names by their key, addresses in lower case. A feed may come to load it later.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import NewId
from treasurer.kernel.organization import Permission, Principal
from treasurer.payees.names import name_key

MOST_ENTRIES = 200_000
_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)
_LIST = text("""
    INSERT INTO sanctions_lists (organization_id, digest, entries, loaded_by, loaded_at)
    VALUES (:organization_id, :digest, :entries, :loaded_by, :now)
    ON CONFLICT (organization_id) DO UPDATE SET digest = excluded.digest,
        entries = excluded.entries, loaded_by = excluded.loaded_by, loaded_at = excluded.loaded_at
""")
_CLEAR = text("DELETE FROM sanctions_entries WHERE organization_id = :organization_id")
_FILL = text("""
    INSERT INTO sanctions_entries (organization_id, kind, key, label)
    SELECT :organization_id, e.kind, e.key, e.label
    FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:labels AS text[]))
         AS e (kind, key, label)
""")


@dataclass(frozen=True, slots=True)
class SanctionsEntry:
    """`kind` is name or address; `key` is what is compared, `label` what people are told."""

    kind: str
    key: str
    label: str


def parse_list(content: bytes) -> list[SanctionsEntry]:
    """The distinct entries of a file. Raises InvalidInput with the line at fault.

    Blank lines and those that begin with # are left out. An empty list is refused: it is more often
    a broken download than the truth.
    """
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidInput("SANCTIONS_LIST", "the list is no UTF-8 text") from error
    found: dict[tuple[str, str], SanctionsEntry] = {}
    for number, line in enumerate(lines, start=1):
        label = " ".join(line.split())
        if not label or label.startswith("#"):
            continue
        entry = _entry(label, number)
        found[(entry.kind, entry.key)] = entry
    if not 0 < len(found) <= MOST_ENTRIES:
        raise InvalidInput("SANCTIONS_LIST", f"a list has 1 to {MOST_ENTRIES} entries")
    return list(found.values())


def _entry(label: str, line: int) -> SanctionsEntry:
    if label.startswith(("0x", "0X")):
        if not _ADDRESS.fullmatch(label.lower()):
            raise InvalidInput("SANCTIONS_LIST", f"line {line}: no address of 20 bytes", line=line)
        return SanctionsEntry("address", label.lower(), label)
    key = name_key(label)
    if not key or len(label) > 300:
        raise InvalidInput(
            "SANCTIONS_LIST", f"line {line}: neither a name nor an address", line=line
        )
    return SanctionsEntry("name", key, label)


class SanctionsService:
    """Loads lists. That a payee stands on one is a fact of each decision, looked up with the payment."""

    def __init__(self, *, database: Database, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def load(self, principal: Principal, content: bytes) -> int:
        """Replace the organization's list; return how many entries it has. Raises InvalidInput."""
        principal.require(Permission.POLICY_WRITE)
        entries = parse_list(content)
        digest, organization_id = hashlib.sha256(content).digest(), principal.organization_id
        own = {"organization_id": organization_id}
        async with self._database.unit(organization_id) as connection:
            now = self._clock()
            await connection.execute(
                _LIST,
                own
                | {
                    "digest": digest,
                    "entries": len(entries),
                    "loaded_by": principal.user_id,
                    "now": now,
                },
            )
            await connection.execute(_CLEAR, own)
            await _fill(connection, own, entries)
            event = AuditEvent(
                "organization",
                organization_id,
                "sanctions_list.loaded",
                {"digest": digest.hex(), "entries": len(entries)},
                principal.user_id,
            )
            await audit.append(connection, organization_id, [event], now=now, new_id=self._new_id)
        return len(entries)


async def _fill(
    connection: AsyncConnection, own: Mapping[str, object], entries: list[SanctionsEntry]
) -> None:
    await connection.execute(
        _FILL,
        {
            **own,
            "kinds": [entry.kind for entry in entries],
            "keys": [entry.key for entry in entries],
            "labels": [entry.label for entry in entries],
        },
    )
