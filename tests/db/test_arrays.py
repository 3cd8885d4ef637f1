"""Sets of rows: what arrives in PostgreSQL is what was sent, whatever a list holds."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from psycopg.types.array import ListBinaryDumper

from treasurer.db.arrays import SetDumper
from treasurer.db.engine import DatabaseUrls, conninfo

ID, OTHER = UUID(int=1), UUID("01a21da4-5b14-70a4-8489-d9371db7d6e7")

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


@pytest_asyncio.fixture(loop_scope="session")
async def connection(database_urls: DatabaseUrls) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(conninfo(database_urls.app)) as opened:
        opened.adapters.register_dumper(list, SetDumper)
        yield opened


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([ID, OTHER], "uuid"),
        ([None, ID, None], "uuid"),
        (["a", "", 'q"{,}\\ NULL', "Ä\U0001f600", "null"], "text"),
        ([None, "a"], "text"),
        ([b"", b"\x00\xff", b"a" * 70_000], "bytea"),
        ([b"a", None], "bytea"),
        ([], "uuid"),
        ([None, None], "text"),
        ([1, 2**40, -1], "bigint"),
        ([True, None], "boolean"),
        ([datetime(2026, 11, 27, tzinfo=UTC)], "timestamptz"),
        ([["a", "b"], ["c", None]], "text"),
    ],
)
async def test_a_list_arrives_as_it_was_sent(
    connection: Connection, values: list[Any], type_: str
) -> None:
    answer = await connection.execute(f"SELECT CAST(%s AS {type_}[])".encode(), (values,))
    assert await answer.fetchone() == (values,)


@pytest.mark.parametrize("values", [[ID, None], ["a", "bc"], [b"\x01", None, b""]])
async def test_the_bytes_are_the_drivers_own(connection: Connection, values: list[Any]) -> None:
    def spelt(kind: type[ListBinaryDumper]) -> tuple[int, bytes]:
        dumper = kind(list, connection).upgrade(values, psycopg.adapt.PyFormat.AUTO)
        dumped = dumper.dump(values)
        assert dumped is not None
        return dumper.oid, bytes(dumped)

    assert spelt(SetDumper) == spelt(ListBinaryDumper)


async def test_mixed_types_are_refused(connection: Connection) -> None:
    with pytest.raises(psycopg.DataError, match="mixed types"):
        await connection.execute("SELECT CAST(%s AS text[])", (["a", b"b"],))
