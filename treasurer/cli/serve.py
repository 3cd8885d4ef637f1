"""`treasurer serve`: the API and the dashboard in one process. Must never hold a key or run a job."""

import asyncio
import threading
from typing import Any

import click

from treasurer.cli.loading import loading

_PAGES_AFTER_S = 1.0


@click.command()
@click.option("--await-up", is_flag=True, hidden=True, help="Load, then wait for our `up`.")
def serve(await_up: bool) -> None:
    """Serve the API and the dashboard until SIGTERM."""
    with loading():
        import uvicorn

        from treasurer.cli.logs import configure_logs
        from treasurer.cli.running import await_running
        from treasurer.cli.web import build_web
        from treasurer.settings import Settings

        settings = await_running(Settings()) if await_up else Settings()
        configure_logs(settings.log_level)
        web = build_web(settings)
        config = uvicorn.Config(
            web.app,
            host=settings.treasurer_host,
            port=settings.treasurer_port,
            log_config=None,
            access_log=False,
            loop="uvloop",
            http="httptools",
            lifespan="on",
        )
        config.load()

    def load_pages() -> None:
        with loading():
            web.pages.load()

    class Server(uvicorn.Server):
        async def startup(self, *arguments: Any, **options: Any) -> None:
            """Load the pages too, once those who waited for the start have had their answer."""
            await super().startup(*arguments, **options)
            thread = threading.Thread(target=load_pages, name="pages", daemon=True)
            asyncio.get_running_loop().call_later(_PAGES_AFTER_S, thread.start)

    Server(config).run()
