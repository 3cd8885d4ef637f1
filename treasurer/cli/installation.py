"""Owns starting an installation on one machine: embedded parts, then our own processes.

Must never replace a part that the settings name, and never hand the superuser's address to a child.
"""

import errno
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from signer.settings import PASSPHRASE, PASSPHRASE_FILE, RPC_URLS
from treasurer.embedded.devchain.launch import await_devchain, spawn_devchain
from treasurer.embedded.directory import DataFolder, lock_folder, open_data_folder
from treasurer.embedded.postgres import start_postgres
from treasurer.embedded.processes import Child, Children, Command
from treasurer.embedded.valkey import start_valkey
from treasurer.kernel.errors import Conflict, InvalidInput
from treasurer.settings import Settings, outer_environment, process_environment

if TYPE_CHECKING:
    from treasurer.chain.networks import NetworkProfile
    from treasurer.db.engine import DatabaseUrls

READY_TIMEOUT_S = 30.0
_TO_BRING_UP = ("treasurer.cli.schema", "alembic.command")
_SIGNER_ONLY = frozenset({PASSPHRASE, PASSPHRASE_FILE, RPC_URLS})
_OURS = frozenset(name.upper() for name in Settings.model_fields)


@dataclass(slots=True)
class Installation:
    """The running parts. `settings` name every address, embedded or given."""

    folder: DataFolder
    children: Children
    settings: Settings
    urls: "DatabaseUrls"

    def run(self, name: str, *arguments: str) -> Child:
        """Start one of our own processes with the installation's settings in its environment."""
        return start_ours(self.folder, self.children, self.settings, name, *arguments)

    def run_signer(self, network: "NetworkProfile", passphrase: str | None) -> Child:
        """Start the signer, which learns its passphrase and the node to check its journal by.

        It gets no other setting: nothing that opens the database stands beside the keys.
        """
        environment = outer_environment(without=_OURS)
        if passphrase is not None:
            environment[PASSPHRASE] = passphrase
        if self.settings.rpc_urls:
            first = self.settings.rpc_urls[0]
            environment.setdefault(RPC_URLS, f"{network.chain_id}={first}")
        # What a killed one left would be taken for this one's.
        (self.settings.home.signer / "signer.sock").unlink(missing_ok=True)
        arguments = ("signer", "--home", str(self.settings.home.signer))
        return self.children.start(_python(self.folder, "signer", arguments, environment))


def start_ours(
    folder: DataFolder, children: Children, settings: Settings, name: str, *arguments: str
) -> Child:
    """Start one of our own processes with `settings`, and nothing of the signer's, as variables."""
    outer = outer_environment(without=_SIGNER_ONLY | _OURS)
    environment = outer | process_environment(settings)
    return children.start(_python(folder, name, arguments, environment))


def _python(
    folder: DataFolder, name: str, arguments: tuple[str, ...], environment: Mapping[str, str]
) -> Command:
    return Command(
        name=name,
        arguments=(sys.executable, "-m", *arguments),
        log=folder.log(name),
        environment=environment,
    )


@contextmanager
def start_installation(
    settings: Settings,
    *,
    development_chain: bool = True,
    meanwhile: Callable[[DataFolder, Children], None] = lambda _folder, _children: None,
    needed_soon: Sequence[str] = (),
) -> Iterator[Installation]:
    """Lock the folder, start what the settings leave to us, bring the schema up; stop all at the end.

    Without `development_chain` there is no node but a given one. `meanwhile` may start processes that
    wait for the parts; `needed_soon` names modules that the caller loads in a moment anyway. Raises
    Conflict when another process holds the folder.
    """
    folder = open_data_folder(settings.treasurer_home)
    with lock_folder(folder.root, patience_s=10.0), Children() as children:
        update: dict[str, object] = {"treasurer_home": folder.root}
        own_chain = development_chain and settings.rpc_url is None
        # The slowest first: it loads while the others start.
        chain = spawn_devchain(folder, children) if own_chain else None
        if settings.redis_url is None:
            update["redis_url"] = SecretStr(start_valkey(folder, children).url)
        superuser_dsn = None
        if settings.database_url is None:
            # A new cluster's making leaves a processor idle.
            load = partial(_load, (*_TO_BRING_UP, *needed_soon))
            superuser_dsn = start_postgres(folder, children, meanwhile=load).dsn
        # Not sooner: what is small and waited for would queue behind what is large.
        meanwhile(folder, children)
        # Imported here, because nothing above should wait for the database's libraries.
        from treasurer.cli.schema import bring_up, without_owner

        urls = bring_up(settings.model_copy(update=update), superuser_dsn)
        update["database_url"] = SecretStr(without_owner(urls))
        if chain is not None:
            update["rpc_url"] = SecretStr(await_devchain(folder, chain).url)
        yield Installation(folder, children, settings.model_copy(update=update), urls)


def _load(modules: Sequence[str]) -> None:
    for name in modules:
        import_module(name)


def network_of(settings: Settings) -> "NetworkProfile | None":
    """The network that this folder was set up for; None before that."""
    from treasurer.chain.networks import load_profile

    try:
        return load_profile(settings.home.network.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def require_free_port(settings: Settings) -> None:
    """Raise Conflict when something listens where the dashboard should, InvalidInput if nothing can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.treasurer_host, settings.treasurer_port))
        except OSError as error:
            place = f"{settings.treasurer_host}:{settings.treasurer_port}"
            if error.errno == errno.EADDRINUSE:
                raise Conflict(
                    "PORT_TAKEN", f"something listens on {place}; stop it or set TREASURER_PORT"
                ) from None
            raise InvalidInput(
                "CANNOT_LISTEN",
                f"nobody can listen on {place} here ({error.strerror}); set TREASURER_HOST to an"
                " address of this machine, and TREASURER_PORT to a port that you may use",
            ) from None


def await_file(child: Child, path: Path) -> None:
    """Wait until the child has made `path`, which says that it works."""
    child.wait_until(path.exists, READY_TIMEOUT_S)


def await_http(child: Child, host: str, port: int) -> None:
    """Wait until the child accepts connections."""

    def accepts() -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex((host, port)) == 0

    child.wait_until(accepts, READY_TIMEOUT_S)
