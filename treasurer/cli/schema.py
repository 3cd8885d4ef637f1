"""Owns the way from a server to a database that our processes can use: database, roles, schema.

Must never be used by them: it signs in as the owner.
"""

import psycopg
from pydantic import SecretStr
from sqlalchemy.engine import URL

from treasurer.db.engine import DatabaseUrls, conninfo, psycopg_url
from treasurer.db.migrate import migrate
from treasurer.db.roles import APP, ensure_roles
from treasurer.secrets import database_urls
from treasurer.settings import Settings

DATABASE = "treasurer"


def bring_up(settings: Settings, superuser_dsn: str | None) -> DatabaseUrls:
    """Make what is missing; return the three sign-ins.

    With `superuser_dsn`, of the embedded server, the database is made too; else DATABASE_URL names it.
    """
    if superuser_dsn is not None:
        superuser = psycopg_url(superuser_dsn)
        _ensure_database(superuser)
        owner = SecretStr(conninfo(superuser.set(database=DATABASE)))
        settings = settings.model_copy(update={"database_url": owner})
    urls = database_urls(settings)
    ensure_roles(urls)
    migrate(urls.owner)
    return urls


def without_owner(urls: DatabaseUrls) -> str:
    """What children get: the app role's name and no password, which they read themselves."""
    owner = urls.owner
    # Built anew, because `URL.set(password=None)` keeps the password that is there.
    return conninfo(
        URL.create(
            owner.drivername,
            username=APP,
            host=owner.host,
            port=owner.port,
            database=owner.database,
            query=owner.query,
        )
    )


def _ensure_database(superuser: URL) -> None:
    with psycopg.connect(conninfo(superuser), autocommit=True) as connection:
        known = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
        ).fetchone()
        if known is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")
