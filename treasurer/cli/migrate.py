"""`treasurer migrate`: roles and schema of the database. Must never touch data."""

import click

from treasurer.db.migrate import migrate as run_migrations
from treasurer.db.roles import ensure_roles
from treasurer.secrets import database_urls
from treasurer.settings import Settings


@click.command()
def migrate() -> None:
    """Create the database roles where they are missing and run all pending migrations."""
    urls = database_urls(Settings())
    ensure_roles(urls)
    run_migrations(urls.owner)
    click.echo("the database is at the newest schema")
