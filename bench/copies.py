"""Owns history by the million: settled payments are multiplied in the database, every row of them.

Must never touch what the pump reads as live: wallets, budgets, balances and jobs stay as they are, so
the copies are years of the past in size and indexes, and no books that add up.
"""

from collections.abc import Iterator

import psycopg

EACH_EARLIER_S = 8 * 3600
"""How far before the copy that follows it each copy lies: a thousand make a year."""
_TABLES = (
    "documents",
    "invoices",
    "payments",
    "allocations",
    "decisions",
    "transfers",
    "transfer_items",
    "attempts",
    "holds",
    "journal_entries",
    "postings",
    "audit_events",
    "audit_seals",
    "notifications",
)
_SHARED = frozenset(
    {
        "organization_id",
        "payee_id",
        "payee_address_id",
        "submitted_by",
        "initiator_id",
        "wallet_id",
        "account_id",
        "actor_id",
        "allowance_id",
        "purchase_order_id",
        "reverses",
    }
)
"""Ids of what all copies have in common."""
_UNIQUE_HASHES = frozenset({"sha256", "document_sha256", "transaction_hash"})
_UNIQUE_NAMES = frozenset({"invoice_number", "invoice_number_key"})
_FUNCTIONS = """
    -- An id as old as its copy: the time of a uuid7 stands in its first 48 bits.
    CREATE FUNCTION copied(id uuid, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
        SELECT encode(
            substr(int8send(('x' || encode(substr(uuid_send(id), 1, 6), 'hex'))::bit(48)::bigint
                - n * EACH_MS), 3) || substr(uuid_send(id), 7), 'hex')::uuid $$
"""
_ROLLUPS = (
    """
    INSERT INTO spend_minutes (organization_id, minute, amount_minor)
    SELECT organization_id, minute - n * :each, amount_minor FROM spend_minutes, :copies
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO outflow_days (organization_id, day, amount_minor, payments)
    SELECT organization_id, (day - n * :each)::date, sum(amount_minor), sum(payments)
    FROM outflow_days, :copies GROUP BY 1, 2
    ON CONFLICT (organization_id, day) DO UPDATE
    SET amount_minor = outflow_days.amount_minor + excluded.amount_minor
    """,
    """
    INSERT INTO scoped_spending (organization_id, scope, key, bucket, starts_at, amount_minor)
    SELECT organization_id, scope, key, bucket, date_trunc(bucket, starts_at - n * :each, 'UTC'),
        sum(amount_minor)
    FROM scoped_spending, :copies GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (organization_id, scope, key, bucket, starts_at) DO UPDATE
    SET amount_minor = scoped_spending.amount_minor + excluded.amount_minor
    """,
)
_CHUNK = 50


def multiply(dsn: str, copies: int) -> None:
    """Add `copies` copies of all that settled payments of the database left, the oldest first.

    `dsn` is the superuser's: keys to other tables are not checked again for what was checked once.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        connection.execute(_FUNCTIONS.replace("EACH_MS", str(EACH_EARLIER_S * 1000)))
        for table in _TABLES:
            connection.execute(f"CREATE TEMP TABLE original_{table} AS SELECT * FROM {table}")
        (sealed,) = connection.execute("SELECT max(sequence) FROM audit_heads").fetchone() or (0,)
        statements = [_copying(connection, table, sealed) for table in _TABLES]
        for first, last in _chunks(copies):
            for statement in statements:
                connection.execute(statement, {"first": first, "last": last})
        span = f"generate_series(1, {copies}) AS n"
        for statement in _ROLLUPS:
            connection.execute(
                statement.replace(":each", f"interval '{EACH_EARLIER_S} s'").replace(
                    ":copies", span
                )
            )
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _chunks(copies: int) -> Iterator[tuple[int, int]]:
    """Spans of copies, the highest numbers, which are the oldest, first."""
    for last in range(copies, 0, -_CHUNK):
        yield max(1, last - _CHUNK + 1), last


def _copying(connection: psycopg.Connection, table: str, sealed: int) -> str:
    columns = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s"
        " AND table_schema = 'public' AND is_generated = 'NEVER' AND is_identity = 'NO'",
        (table,),
    ).fetchall()
    copied = [_copied(name, kind, sealed) for name, kind in columns]
    names = ", ".join(name for name, _ in columns)
    return (
        f"INSERT INTO {table} ({names}) SELECT {', '.join(copied)}"
        f" FROM original_{table} o, generate_series(%(last)s::bigint, %(first)s, -1) AS n"
    )


def _copied(name: str, kind: str, sealed: int) -> str:
    if kind == "uuid" and name not in _SHARED:
        return f"copied(o.{name}, n)"
    if kind == "timestamp with time zone":
        return f"o.{name} - n * interval '{EACH_EARLIER_S} s'"
    if name in _UNIQUE_HASHES:
        return f"sha256(o.{name} || int8send(n))"
    if name in _UNIQUE_NAMES:
        return f"o.{name} || '-' || n"
    if name == "nonce":
        return f"o.{name} - n * 1000000"
    if name == "sequence":
        return f"o.{name} + n * {sealed}"
    return f"o.{name}"
