"""`treasurer up`: everything on this machine, from wheels. Must never print a secret but one link."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from treasurer.cli.installation import (
    Installation,
    network_of,
    require_free_port,
    start_installation,
)
from treasurer.cli.loading import loading
from treasurer.cli.own_organization import DEMONSTRATION, own_organization
from treasurer.cli.own_processes import OwnProcesses
from treasurer.cli.passphrase import passphrase_to_start
from treasurer.cli.running import withdraw_running
from treasurer.kernel.errors import Conflict, InvalidInput
from treasurer.settings import Settings

if TYPE_CHECKING:
    from treasurer.chain.networks import NetworkProfile


_DEMONSTRATION = (
    "treasurer.cli.demonstration_network",
    "treasurer.cli.demonstration",
    "treasurer.chain.node",
)


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
    # A service manager's stop is as orderly as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
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


@contextmanager
def run_all(settings: Settings, *, demo: bool, say: Callable[[str], None]) -> Iterator[Running]:
    """Start all parts and wait until they serve; stop them when left.

    Whatever can be refused is refused before anything is started.
    """
    require_free_port(settings)
    network = network_of(settings)
    if network is None and not demo:
        raise Conflict("NOT_SET_UP", "run `treasurer init` first, or add --demo to look around")
    if demo:
        _require_demonstration(settings)
    if network is not None:
        _require_node(settings, network)
    passphrase = passphrase_to_start(settings)
    with ExitStack() as parts:
        with loading():
            say("starting database, cache and chain …")
            ours = OwnProcesses(settings)
            installation = parts.enter_context(
                start_installation(
                    settings,
                    meanwhile=ours.load,
                    needed_soon=_DEMONSTRATION if demo else (),
                )
            )
            parts.callback(withdraw_running, installation.settings)
            if demo:
                _prepare_demonstration(installation)
            network = network_of(installation.settings)
            assert network is not None
            say("starting signer, worker and API …")
            ours.go(installation, network, passphrase)
            # Imported here: the first part is started before it.
            import asyncio

            # The organization is made while they start.
            link = asyncio.run(_seed(installation.settings)) if demo else None
            ours.wait(installation.settings)
        yield Running(installation, link)


def _prepare_demonstration(installation: Installation) -> None:
    from treasurer.cli.demonstration_network import prepare_network

    prepare_network(installation.settings)


def _require_demonstration(settings: Settings) -> None:
    """Raise Conflict when the folder is somebody's real installation."""
    own = own_organization(settings)
    if own is not None and own.name != DEMONSTRATION:
        raise Conflict(
            "FOLDER_NOT_DEMONSTRATION",
            f"{settings.home.root} belongs to {own.name}: start without --demo, "
            "or set TREASURER_HOME to another folder",
        )


def _require_node(settings: Settings, network: "NetworkProfile") -> None:
    """Raise InvalidInput when nobody said where the network's node is and it is not ours to start."""
    from signer.limits import DEVELOPMENT_CHAIN_ID

    if settings.rpc_url is None and network.chain_id != DEVELOPMENT_CHAIN_ID:
        raise InvalidInput(
            "RPC_URL_MISSING", f"set RPC_URL to a node of {network.name}, in .env for instance"
        )


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


def _watch(installation: Installation) -> None:
    """Return when a part has ended by itself: the rest is stopped with it."""
    while (ended := installation.children.ended()) is None:
        time.sleep(0.5)
    raise click.ClickException(
        f"{ended.command.name} ended unexpectedly; see {ended.command.log}:\n{ended.log_tail()}"
    )
