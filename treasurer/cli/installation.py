"""Owns starting an installation on one machine: embedded parts, then our own processes.

Must never replace a part that the settings name, and never hand the superuser's address to a child.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from signer.settings import PASSPHRASE, PASSPHRASE_FILE, RPC_URLS
from treasurer.cli.running import publish_running, withdraw_running
from treasurer.embedded.devchain.launch import await_devchain, spawn_devchain
from treasurer.embedded.directory import DataFolder, lock_folder, open_data_folder
from treasurer.embedded.postgres import start_postgres
from treasurer.embedded.processes import Child, Children, Command
from treasurer.embedded.valkey import start_valkey
from treasurer.kernel.errors import Conflict
from treasurer.settings import Settings, outer_environment, process_environment

if TYPE_CHECKING:
    from treasurer.chain.networks import NetworkProfile
    from treasurer.db.engine import DatabaseUrls

READY_TIMEOUT_S = 30.0
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
        outer = outer_environment(without=_SIGNER_ONLY | _OURS)
        return self._start(name, arguments, outer | process_environment(self.settings))

    def run_signer(self, network: "NetworkProfile", passphrase: str | None) -> Child:
        """Start the signer, which learns its passphrase and the node to check its journal by.

        It gets no other setting: nothing that opens the database stands beside the keys.
        """
        environment = outer_environment(without=_OURS)
        if passphrase is not None:
            environment[PASSPHRASE] = passphrase
        if self.settings.rpc_url is not None:
            url = self.settings.rpc_url.get_secret_value()
            environment.setdefault(RPC_URLS, f"{network.chain_id}={url}")
        home = str(self.settings.home.signer)
        return self._start("signer", ("signer", "--home", home), environment)

    def _start(self, name: str, arguments: tuple[str, ...], environment: dict[str, str]) -> Child:
        return self.children.start(
            Command(
                name=name,
                arguments=(sys.executable, "-m", *arguments),
                log=self.folder.log(name),
                environment=environment,
            )
        )


@contextmanager
def start_installation(
    settings: Settings, *, development_chain: bool = True
) -> Iterator[Installation]:
    """Lock the folder, start what the settings leave to us, bring the schema up; stop all at the end.

    Without `development_chain` there is no node but a given one. Raises Conflict when another process
    holds the folder.
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
            superuser_dsn = start_postgres(folder, children).dsn
        # Imported here, because nothing above should wait for the database's libraries.
        from treasurer.cli.schema import bring_up, without_owner

        urls = bring_up(settings.model_copy(update=update), superuser_dsn)
        update["database_url"] = SecretStr(without_owner(urls))
        if chain is not None:
            update["rpc_url"] = SecretStr(await_devchain(folder, chain).url)
        started = settings.model_copy(update=update)
        publish_running(settings, started)
        try:
            yield Installation(folder, children, started, urls)
        finally:
            withdraw_running(started)


def network_of(settings: Settings) -> "NetworkProfile | None":
    """The network that this folder was set up for; None before that."""
    from treasurer.chain.networks import load_profile

    try:
        return load_profile(settings.home.network.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def require_free_port(settings: Settings) -> None:
    """Raise Conflict when something listens where the dashboard should."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.treasurer_host, settings.treasurer_port))
        except OSError:
            raise Conflict(
                "PORT_TAKEN",
                f"something listens on {settings.treasurer_host}:{settings.treasurer_port}; "
                "stop it or set TREASURER_PORT",
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
