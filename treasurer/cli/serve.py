"""`treasurer serve`: the API and the dashboard in one process. Must never hold a key or run a job."""

import gc

import click

from treasurer.cli.loading import loading


@click.command()
@click.option("--await-up", is_flag=True, hidden=True, help="Load, then wait for our `up`.")
def serve(await_up: bool) -> None:
    """Serve the API and the dashboard until SIGTERM."""
    with loading():
        import uvicorn

        from treasurer.cli.logs import configure_logs
        from treasurer.cli.running import await_running
        from treasurer.cli.web import build_app
        from treasurer.settings import Settings

        settings = await_running(Settings()) if await_up else Settings()
        configure_logs(settings.log_level)
        config = uvicorn.Config(
            build_app(settings),
            host=settings.treasurer_host,
            port=settings.treasurer_port,
            log_config=None,
            access_log=False,
            loop="uvloop",
            http="httptools",
            lifespan="on",
        )
        config.load()
        # What is loaded stays. Searching all of it for garbage again and again stops every request
        # for a tenth of a second, and takes a twenty-fifth of the processor.
        gc.collect()
        gc.freeze()
    uvicorn.Server(config).run()
