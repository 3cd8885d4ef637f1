"""`treasurer worker`: jobs and the pump. Must never serve requests."""

import asyncio

import click

from treasurer.cli.logs import configure_logs
from treasurer.settings import Settings


@click.command()
@click.option("--ready-file", type=click.Path(), default=None, help="Touched once it works.")
def worker(ready_file: str | None) -> None:
    """Work until SIGTERM: read invoices, send mails, execute transfers, seal the audit log."""
    from pathlib import Path

    from worker.main import run

    settings = Settings()
    configure_logs(settings.log_level)

    def ready() -> None:
        if ready_file:
            Path(ready_file).touch()

    asyncio.run(run(settings, ready))
