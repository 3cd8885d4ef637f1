"""Owns the chain's SQLite file: py-evm's key-value pairs, mined transactions, accepted transactions.

Must never leave half a block: a block's state, header, receipts and the removal of its transactions
from the pending table are one commit, so that a kill at any moment leaves the previous head.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eth.db.backends.base import BaseDB

_TABLES = """
create table if not exists pairs (key blob primary key, value blob not null) without rowid;
create table if not exists mined (
    hash blob primary key, block_number integer not null, position integer not null,
    transaction_json blob not null, receipt_json blob not null
) without rowid;
create unique index if not exists mined_place on mined (block_number, position);
create table if not exists accepted (
    arrival integer primary key autoincrement, hash blob not null unique, raw blob not null
);
"""


@dataclass(frozen=True, slots=True)
class Mined:
    """A mined transaction as it is answered: JSON objects, encoded once when its block was made."""

    hash: bytes
    block_number: int
    position: int
    transaction_json: bytes
    receipt_json: bytes


class ChainStore(BaseDB):
    """py-evm reads and writes it like a dict of bytes; the tables beside it are ours."""

    def __init__(self, path: Path) -> None:
        self._sql = sqlite3.connect(path, isolation_level=None)
        self._sql.execute("pragma journal_mode = wal")
        # An acknowledged transaction outlives a power cut, not only a killed process.
        self._sql.execute("pragma synchronous = full")
        self._sql.executescript(_TABLES)

    def close(self) -> None:
        self._sql.close()

    @contextmanager
    def commit_together(self) -> Iterator[None]:
        """All writes inside reach the disk in one commit, or none does."""
        self._sql.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._sql.execute("rollback")
            raise
        self._sql.execute("commit")

    def __getitem__(self, key: bytes) -> bytes:
        row = self._sql.execute("select value from pairs where key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        value: bytes = row[0]
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._sql.execute("insert or replace into pairs values (?, ?)", (key, value))

    def __delitem__(self, key: bytes) -> None:
        self._sql.execute("delete from pairs where key = ?", (key,))

    def _exists(self, key: bytes) -> bool:
        row = self._sql.execute("select 1 from pairs where key = ?", (key,)).fetchone()
        return row is not None

    def accept(self, transaction_hash: bytes, raw: bytes) -> int:
        """Keep a transaction that waits for a block; return its place in order of arrival."""
        cursor = self._sql.execute(
            "insert into accepted (hash, raw) values (?, ?)", (transaction_hash, raw)
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def accepted(self) -> Iterator[tuple[int, bytes]]:
        """(arrival, raw bytes) of all transactions that wait, oldest first."""
        yield from self._sql.execute("select arrival, raw from accepted order by arrival")

    def forget_accepted(self, hashes: Sequence[bytes]) -> None:
        self._sql.executemany("delete from accepted where hash = ?", [(h,) for h in hashes])

    def add_mined(self, rows: Sequence[Mined]) -> None:
        self._sql.executemany(
            "insert into mined values (?, ?, ?, ?, ?)",
            [
                (r.hash, r.block_number, r.position, r.transaction_json, r.receipt_json)
                for r in rows
            ],
        )

    def mined(self, transaction_hash: bytes) -> Mined | None:
        row = self._sql.execute(
            "select * from mined where hash = ?", (transaction_hash,)
        ).fetchone()
        return None if row is None else Mined(*row)

    def mined_between(self, first: int, last: int) -> Iterator[Mined]:
        """Transactions of blocks `first` to `last`, both included, in canonical order."""
        rows = self._sql.execute(
            "select * from mined where block_number between ? and ? order by block_number, position",
            (first, last),
        )
        return (Mined(*row) for row in rows)

    def forget_mined_after(self, block_number: int) -> None:
        self._sql.execute("delete from mined where block_number > ?", (block_number,))
