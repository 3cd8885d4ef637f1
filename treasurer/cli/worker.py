"""`treasurer worker`: jobs and the pump. Must never serve requests."""

import asyncio
from importlib import import_module
from pathlib import Path

import click

from treasurer.cli.loading import loading


@click.command()
@click.option(
    "--ready-file", type=click.Path(path_type=Path), default=None, help="Touched once it works."
)
def worker(ready_file: Path | None) -> None:
    """Work until SIGTERM: read invoices, send mails, execute transfers, seal the audit log."""
    with loading():
        from treasurer.cli.logs import configure_logs
        from treasurer.settings import Settings
        from worker.main import run

        # What it would load in a moment anyway, when it opens the chain.
        import_module("treasurer.chain.node")
        settings = Settings()
        configure_logs(settings.log_level)

    def ready() -> None:
        if ready_file is not None:
            ready_file.touch()

    asyncio.run(run(settings, ready))
