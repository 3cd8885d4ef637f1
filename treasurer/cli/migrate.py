"""`treasurer migrate`: roles and schema of the database. Must never touch data."""

import click


@click.command()
def migrate() -> None:
    """Create the database roles where they are missing and run all pending migrations."""
    from treasurer.cli.schema import bring_up
    from treasurer.settings import Settings

    bring_up(Settings(), None)
    click.echo("the database is at the newest schema")
