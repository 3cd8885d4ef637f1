"""A migrated database on a real PostgreSQL: the embedded one, or TREASURER_TEST_DATABASE_URL."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    with _fresh_database(server, name):
        urls = _urls(server, name)
        with psycopg.connect(conninfo(server), autocommit=True) as connection:
            # Parallel test workers share the cluster and so its roles.
            connection.execute("SELECT pg_advisory_lock(7)")
            ensure_roles(urls)
        migrate(urls.owner)
        yield urls


@dataclass(frozen=True, slots=True)
class Template:
    """A migrated database that nobody uses, and the numbers of its copies."""

    server: URL
    name: str
    numbers: Iterator[int]


@contextmanager
def template_database(server: URL, name: str) -> Iterator[Template]:
    """A migrated database to be copied: a copy takes a tenth of the migrations' time."""
    with migrated_database(server, name):
        yield Template(server, name, itertools.count(1))


@contextmanager
def copied_database(template: Template) -> Iterator[DatabaseUrls]:
    """A database as the migrations left it; dropped at the end."""
    name = f"{template.name}_{next(template.numbers)}"
    urls = _urls(template.server, name)
    with _fresh_database(template.server, name, f"TEMPLATE {template.name}"):
        with psycopg.connect(conninfo(template.server), autocommit=True) as connection:
            # What may be done to a database is not copied with it.
            connection.execute(f"GRANT CREATE, CONNECT ON DATABASE {name} TO {OWNER}")
        yield urls


@contextmanager
def _fresh_database(server: URL, name: str, template: str = "") -> Iterator[None]:
    with psycopg.connect(conninfo(server), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} {template}")
    try:
        yield
    finally:
        with psycopg.connect(conninfo(server), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _urls(server: URL, name: str) -> DatabaseUrls:
    return role_urls(server.set(database=name), app_password="app", system_password="system")


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
