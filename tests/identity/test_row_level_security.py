"""I20: one organization's rows do not exist for another, not even for raw SQL as the app role.

Every table with an `organization_id` is found in the catalog, so that a new one cannot be forgotten.
A superuser plants a row of the victim and one of the attacker in each, with triggers and checks off,
in a database of its own.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection, Connection, sql
from psycopg.errors import InsufficientPrivilege

from tests.support.database import migrated_database
from treasurer.db.engine import DatabaseUrls, conninfo

VICTIM, ATTACKER = uuid4(), uuid4()

_SCOPED = """
    SELECT c.relname, a.attname, c.relrowsecurity AND c.relforcerowsecurity,
           has_table_privilege('treasurer_app', c.oid, 'TRUNCATE')
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
      AND (a.attname = 'organization_id' OR c.relname = 'organizations' AND a.attname = 'id')
    ORDER BY c.relname
"""
_REQUIRED_COLUMNS = """
    SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attnotnull
      AND attidentity = '' AND attgenerated = '' AND attname <> %s
"""
_VALUES = {
    "text": "md5(random()::text)",
    "uuid": "gen_random_uuid()",
    "bytea": "decode(md5(random()::text), 'hex')",
    "timestamp with time zone": "now()",
    "date": "current_date",
    "numeric": "floor(random() * 1e9)",
    "integer": "floor(random() * 1e9)",
    "bigint": "floor(random() * 1e9)",
    "smallint": "floor(random() * 1e4)",
    "boolean": "false",
    "jsonb": "'{}'",
    "text[]": "'{}'",
    "uuid[]": "'{}'",
}


@dataclass(frozen=True)
class Scoped:
    """A table and the column that names its organization."""

    table: sql.Identifier
    column: sql.Identifier
    name: str
    forced: bool
    truncatable: bool
    insert: sql.Composed

    def statement(self, template: str) -> sql.Composed:
        return sql.SQL(template).format(table=self.table, column=self.column)


@pytest.fixture(scope="module")
def own_database(database_urls: DatabaseUrls) -> Iterator[DatabaseUrls]:
    server = database_urls.owner.set(database="postgres")
    with migrated_database(server, f"test_rls_{os.getpid()}") as urls:
        yield urls


@pytest.fixture(scope="module")
def tables(own_database: DatabaseUrls) -> list[Scoped]:
    with Connection.connect(conninfo(own_database.owner)) as connection:
        found = connection.execute(_SCOPED).fetchall()
        scoped = [_scoped(connection, *row) for row in found]
        connection.execute("SET session_replication_role = replica")
        for table in scoped:
            _drop_checks(connection, table)
            for organization in (VICTIM, ATTACKER):
                connection.execute(table.insert, (organization,))
    return scoped


def test_each_table_of_an_organization_forces_row_level_security(tables: list[Scoped]) -> None:
    assert len(tables) >= 34
    assert [table.name for table in tables if not table.forced] == []
    assert [table.name for table in tables if table.truncatable] == []


def test_no_role_of_ours_escapes_it(own_database: DatabaseUrls) -> None:
    with Connection.connect(conninfo(own_database.owner)) as connection:
        roles = connection.execute(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles"
            " WHERE rolname LIKE 'treasurer\\_%' ORDER BY rolname"
        ).fetchall()
    assert roles == [
        ("treasurer_app", False, False, False),
        ("treasurer_owner", False, False, False),
        ("treasurer_system", False, False, False),
    ]


async def test_foreign_rows_cannot_be_read(
    tables: list[Scoped], own_database: DatabaseUrls
) -> None:
    async with await AsyncConnection.connect(conninfo(own_database.app)) as connection:
        await _enter(connection, ATTACKER)
        for table in tables:
            seen = await connection.execute(table.statement("SELECT {column} FROM {table}"))
            assert await seen.fetchall() == [(ATTACKER,)], table.name


@pytest.mark.parametrize(
    "template",
    [
        "UPDATE {table} SET {column} = {column} WHERE {column} = %(victim)s",
        "UPDATE {table} SET {column} = %(attacker)s WHERE {column} <> %(attacker)s",
        "DELETE FROM {table} WHERE {column} = %(victim)s",
        "SELECT FROM {table} WHERE {column} = %(victim)s FOR UPDATE",
    ],
)
async def test_foreign_rows_cannot_be_touched(
    tables: list[Scoped], own_database: DatabaseUrls, template: str
) -> None:
    for table in tables:
        assert await _attack(own_database, table, template) in (0, "refused"), table.name
    _assert_untouched(tables, own_database)


@pytest.mark.parametrize(
    "template",
    [
        "UPDATE {table} SET {column} = %(victim)s WHERE {column} = %(attacker)s",
        "SET LOCAL row_security = off; SELECT FROM {table}",
        "SET LOCAL ROLE treasurer_owner; SELECT FROM {table}",
        "SET LOCAL ROLE treasurer_system; SELECT FROM {table}",
        "ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
        "TRUNCATE {table}",
    ],
)
async def test_ways_out_of_the_scope_are_refused(
    tables: list[Scoped], own_database: DatabaseUrls, template: str
) -> None:
    for table in tables:
        assert await _attack(own_database, table, template) == "refused", table.name
    _assert_untouched(tables, own_database)


async def test_rows_cannot_be_planted_in_another_organization(
    tables: list[Scoped], own_database: DatabaseUrls
) -> None:
    for table in tables:
        async with await AsyncConnection.connect(conninfo(own_database.app)) as connection:
            await _enter(connection, ATTACKER)
            with pytest.raises(InsufficientPrivilege, match=r"row-level security|permission"):
                await connection.execute(table.insert, (VICTIM,))
            await connection.rollback()
    _assert_untouched(tables, own_database)


async def test_without_an_organization_nothing_is_visible(
    tables: list[Scoped], own_database: DatabaseUrls
) -> None:
    async with await AsyncConnection.connect(conninfo(own_database.app)) as connection:
        for table in tables:
            counted = await connection.execute(table.statement("SELECT count(*) FROM {table}"))
            assert await counted.fetchone() == (0,), table.name


async def _enter(connection: AsyncConnection[tuple[object, ...]], organization: UUID) -> None:
    """As a unit of work does."""
    await connection.execute("SELECT set_config('app.org', %s, true)", (str(organization),))


async def _attack(urls: DatabaseUrls, table: Scoped, template: str) -> int | str:
    """Rows that the statement reached, or that it was refused; committed if it was not."""
    async with await AsyncConnection.connect(conninfo(urls.app)) as connection:
        await _enter(connection, ATTACKER)
        reached = 0
        try:
            for part in template.split("; "):
                result = await connection.execute(
                    table.statement(part), {"victim": VICTIM, "attacker": ATTACKER}
                )
                reached = result.rowcount
        except InsufficientPrivilege:
            await connection.rollback()
            return "refused"
        return reached


def _assert_untouched(tables: list[Scoped], urls: DatabaseUrls) -> None:
    with Connection.connect(conninfo(urls.owner)) as connection:
        for table in tables:
            rows = connection.execute(table.statement("SELECT {column} FROM {table}")).fetchall()
            assert sorted(rows) == sorted([(VICTIM,), (ATTACKER,)]), table.name


def _scoped(
    connection: Connection[tuple[object, ...]],
    name: str,
    column: str,
    forced: bool,
    truncatable: bool,
) -> Scoped:
    """The table with a statement that inserts a row of any organization, its values by type."""
    columns = connection.execute(_REQUIRED_COLUMNS, (name, column)).fetchall()
    insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(name),
        sql.SQL(", ").join(sql.Identifier(str(each)) for each in (column, *_names(columns))),
        sql.SQL(", ").join([sql.Placeholder(), *(sql.SQL(_VALUES[str(k)]) for _, k in columns)]),
    )
    return Scoped(sql.Identifier(name), sql.Identifier(column), name, forced, truncatable, insert)


def _names(columns: list[tuple[object, ...]]) -> list[str]:
    return [str(name) for name, _ in columns]


def _drop_checks(connection: Connection[tuple[object, ...]], table: Scoped) -> None:
    checks = connection.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'",
        (table.name,),
    ).fetchall()
    for (check,) in checks:
        connection.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                table.table, sql.Identifier(str(check))
            )
        )
