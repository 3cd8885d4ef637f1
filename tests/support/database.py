"""A migrated database on a real PostgreSQL: the embedded one, or TREASURER_TEST_DATABASE_URL."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
from sqlalchemy.engine import URL

from treasurer.db.engine import DatabaseUrls, conninfo, psycopg_url
from treasurer.db.migrate import migrate
from treasurer.db.roles import OWNER, ensure_roles, role_urls


@contextmanager
def postgres_server() -> Iterator[URL]:
    """The address of a server's maintenance database, as a superuser."""
    given = os.environ.get("TREASURER_TEST_DATABASE_URL")
    if given:
        yield psycopg_url(given)
        return
    from tests.support.embedded import embedded_postgres

    with embedded_postgres() as server:
        yield psycopg_url(server.dsn)


@contextmanager
def migrated_database(server: URL, name: str) -> Iterator[DatabaseUrls]:
    """A fresh database of that name with all roles and migrations; dropped at the end."""
    with psycopg.connect(conninfo(server), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    urls = role_urls(server.set(database=name), app_password="app", system_password="system")
    with psycopg.connect(conninfo(server), autocommit=True) as connection:
        # Parallel test workers share the cluster and so its roles.
        connection.execute("SELECT pg_advisory_lock(7)")
        ensure_roles(urls)
    migrate(urls.owner)
    try:
        yield urls
    finally:
        with psycopg.connect(conninfo(server), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def run_as_owner(urls: DatabaseUrls, organization_id: UUID, *statements: str) -> None:
    """What somebody who can act as the tables' owner does to one organization's rows."""
    with psycopg.connect(conninfo(urls.owner)) as connection:
        connection.execute(f"SET LOCAL ROLE {OWNER}")
        connection.execute(
            "SELECT set_config('app.org', %(organization)s, true)",
            {"organization": str(organization_id)},
        )
        for statement in statements:
            connection.execute(statement)
