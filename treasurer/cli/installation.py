"""Owns starting an installation on one machine: embedded parts, then our own processes.

Must never replace a part that the settings name, and never hand the superuser's address to a child.
"""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pydantic import SecretStr
from sqlalchemy.engine import URL

from treasurer.db.engine import DatabaseUrls, conninfo, psycopg_url
from treasurer.db.migrate import migrate
from treasurer.db.roles import APP, ensure_roles
from treasurer.embedded.devchain.launch import await_devchain, spawn_devchain
from treasurer.embedded.directory import DataFolder, lock_folder, open_data_folder
from treasurer.embedded.postgres import start_postgres
from treasurer.embedded.processes import Child, Children, Command
from treasurer.embedded.valkey import start_valkey
from treasurer.kernel.errors import Conflict
from treasurer.secrets import database_urls
from treasurer.settings import Settings

DATABASE = "treasurer"
READY_TIMEOUT_S = 30.0


@dataclass(slots=True)
class Installation:
    """The running parts. `settings` name every address, embedded or given."""

    folder: DataFolder
    children: Children
    settings: Settings
    urls: DatabaseUrls

    def run(self, name: str, *arguments: str) -> Child:
        """Start one of our own processes with the installation's settings in its environment."""
        return self.children.start(
            Command(
                name=name,
                arguments=(sys.executable, "-m", *arguments),
                log=self.folder.log(name),
                environment={**os.environ, **_environment(self.settings)},
            )
        )


@contextmanager
def start_installation(settings: Settings) -> Iterator[Installation]:
    """Lock the folder, start what the settings leave to us, bring the schema up; stop all at the end.

    Raises Conflict when another process holds the folder or the port is taken.
    """
    require_free_port(settings)
    folder = open_data_folder(settings.treasurer_home)
    with lock_folder(folder.root, patience_s=10.0), Children() as children:
        update: dict[str, object] = {"treasurer_home": folder.root}
        chain = None if settings.rpc_url else spawn_devchain(folder, children)
        if settings.redis_url is None:
            update["redis_url"] = SecretStr(start_valkey(folder, children).url)
        if settings.database_url is None:
            superuser = psycopg_url(start_postgres(folder, children).dsn)
            _ensure_database(superuser)
            update["database_url"] = SecretStr(conninfo(superuser.set(database=DATABASE)))
        started = settings.model_copy(update=update)
        urls = database_urls(started)
        ensure_roles(urls)
        migrate(urls.owner)
        update["database_url"] = SecretStr(_without_owner(urls))
        if chain is not None:
            update["rpc_url"] = SecretStr(await_devchain(folder, chain).url)
        yield Installation(folder, children, settings.model_copy(update=update), urls)


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


def _ensure_database(superuser: URL) -> None:
    with psycopg.connect(conninfo(superuser), autocommit=True) as connection:
        known = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
        ).fetchone()
        if known is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _without_owner(urls: DatabaseUrls) -> str:
    """What children get: the app role's name and no password, which they read themselves."""
    return conninfo(urls.owner.set(username=APP, password=None))


def _environment(settings: Settings) -> dict[str, str]:
    """The settings as variables, so that a child reads what its parent decided."""
    values: dict[str, str] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value is None or value == "":
            continue
        values[name.upper()] = (
            value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        )
    return values
