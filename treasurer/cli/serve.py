"""`treasurer serve`: the API and the dashboard in one process. Must never hold a key or run a job."""

import click
import uvicorn

from treasurer.cli.logs import configure_logs
from treasurer.settings import Settings


@click.command()
def serve() -> None:
    """Serve the API and the dashboard until SIGTERM."""
    from treasurer.cli.web import build_app

    settings = Settings()
    configure_logs(settings.log_level)
    app = build_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.treasurer_host,
        port=settings.treasurer_port,
        log_config=None,
        access_log=False,
        loop="uvloop",
        http="httptools",
        lifespan="on",
    )
    uvicorn.Server(config).run()
