"""Owns the schema's version: brings a database to the newest migration. Must never change data."""

from importlib.resources import files

import psycopg
from sqlalchemy.engine import URL

from treasurer.db.engine import conninfo

_LOCK = 0x7472656173  # "treas": two starting processes must not migrate at once


def migrate(owner: URL) -> None:
    """Run all pending migrations as the owner; a second caller waits for the first."""
    with psycopg.connect(conninfo(owner), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        if _present_revision(connection) != newest_revision():
            _upgrade(owner)


def newest_revision() -> str:
    """The revision of the last migration, which its file name begins with."""
    names = [entry.name for entry in (files("migrations") / "versions").iterdir()]
    return max(name.partition("_")[0] for name in names if name[0].isdigit())


def _present_revision(connection: psycopg.Connection) -> str | None:
    """None where no migration ever ran. Raises nothing for a database of strangers: alembic does."""
    exists = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
    if exists is None or exists[0] is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _upgrade(owner: URL) -> None:
    # Imported here: every start of a database that is up to date would pay for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes["url"] = owner
    command.upgrade(config, "head")
