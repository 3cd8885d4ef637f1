"""`treasurer up`: everything on this machine, from wheels. Must never print a secret but one link."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click

from treasurer.cli.installation import (
    Installation,
    await_file,
    await_http,
    start_installation,
)
from treasurer.embedded.processes import Child
from treasurer.kernel.errors import Conflict, TreasurerError
from treasurer.settings import Settings


@dataclass(frozen=True, slots=True)
class Running:
    """The installation with its processes up. `login_link` signs the CFO in once."""

    installation: Installation
    login_link: str | None


@click.command()
@click.option("--demo", is_flag=True, help="With the demonstration organization.")
def up(demo: bool) -> None:
    """Start PostgreSQL, Valkey, a development chain, signer, worker, API and dashboard."""
    started = time.monotonic()
    try:
        with run_all(Settings(), demo=demo, say=click.echo) as running:
            settings = running.installation.settings
            click.echo(f"\nready after {time.monotonic() - started:.1f} s: {settings.url}")
            if running.login_link:
                click.echo(f"sign in as the CFO, once, within 15 minutes:\n  {running.login_link}")
            click.echo("one user runs everything here, which is no isolation: `treasurer doctor`")
            click.echo("Ctrl-C stops everything; the data stay in " + str(settings.treasurer_home))
            _watch(running.installation)
    except KeyboardInterrupt:
        click.echo("\nstopped")
    except TreasurerError as error:
        raise click.ClickException(error.message) from error


@contextmanager
def run_all(settings: Settings, *, demo: bool, say: Callable[[str], None]) -> Iterator[Running]:
    """Start all parts and wait until they serve; stop them when left."""
    say("starting database, cache and chain …")
    with start_installation(settings) as installation:
        home = installation.settings.home
        if demo:
            from treasurer.cli.demonstration import prepare_network

            prepare_network(installation.settings)
        if not home.network.exists():
            raise Conflict("NOT_SET_UP", "run `treasurer init` first, or add --demo to look around")
        say("starting signer, worker and API …")
        signer = installation.run(
            "signer",
            "signer",
            *("--home", str(home.signer)),
        )
        ready = installation.folder.root / "worker.ready"
        ready.unlink(missing_ok=True)
        worker = installation.run("worker", "treasurer.cli", "worker", "--ready-file", str(ready))
        api = installation.run("api", "treasurer.cli", "serve")
        link = asyncio.run(_seed(installation.settings)) if demo else None
        _await(installation, signer, worker, api)
        yield Running(installation, link)


async def _seed(settings: Settings) -> str:
    from treasurer.bootstrap import open_core
    from treasurer.cli.demonstration import CFO, seed, submit_samples

    core = open_core(settings, pool_size=4)
    try:
        norwick = await seed(core)
        await submit_samples(core, norwick)
        return f"{settings.url}/login/link/{await core.identity.login_link(CFO)}"
    finally:
        await core.close()


def _await(installation: Installation, signer: Child, worker: Child, api: Child) -> None:
    settings = installation.settings
    await_file(signer, settings.home.signer / "signer.sock")
    await_http(api, settings.treasurer_host, settings.treasurer_port)
    await_file(worker, installation.folder.root / "worker.ready")


def _watch(installation: Installation) -> None:
    """Return when a part has ended by itself: the rest is stopped with it."""
    while (ended := installation.children.ended()) is None:
        time.sleep(0.5)
    raise click.ClickException(
        f"{ended.command.name} ended unexpectedly; see {ended.command.log}:\n{ended.log_tail()}"
    )
