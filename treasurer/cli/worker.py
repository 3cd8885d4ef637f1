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
@click.option("--await-up", is_flag=True, hidden=True, help="Load, then wait for our `up`.")
def worker(ready_file: Path | None, await_up: bool) -> None:
    """Work until SIGTERM: read invoices, send mails, execute transfers, seal the audit log."""
    with loading():
        from treasurer.cli.logs import configure_logs
        from treasurer.cli.running import await_running
        from treasurer.settings import Settings
        from worker.main import run

        # What it would load in a moment anyway, when it opens the chain.
        import_module("treasurer.chain.node")
        settings = await_running(Settings()) if await_up else Settings()
        configure_logs(settings.log_level)

    def ready() -> None:
        if ready_file is not None:
            ready_file.touch()

    asyncio.run(run(settings, ready))
