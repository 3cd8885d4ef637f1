"""Owns the schema's version: brings a database to the newest migration. Must never change data."""

from importlib.resources import files

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import URL

from treasurer.db.engine import conninfo

_LOCK = 0x7472656173  # "treas": two starting processes must not migrate at once


def migrate(owner: URL) -> None:
    """Run all pending migrations as the owner; a second caller waits for the first."""
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes["url"] = owner
    with psycopg.connect(conninfo(owner), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        command.upgrade(config, "head")
