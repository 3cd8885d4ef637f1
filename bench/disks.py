"""Owns the servers that are measured: our private PostgreSQL and Valkey, on either disk.

Must never slow anything down but the database's flushes. The slow disk is the fast one with a
millisecond added to each flush, because that is what a cloud disk costs.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from sqlalchemy.engine import URL

from treasurer.db.engine import DatabaseUrls, conninfo, psycopg_url
from treasurer.db.migrate import migrate
from treasurer.db.roles import ensure_roles, role_urls
from treasurer.embedded.directory import open_data_folder
from treasurer.embedded.postgres import start_postgres
from treasurer.embedded.processes import Child, Children, Command
from treasurer.embedded.valkey import start_valkey

FLUSH_DELAY_US = 1000
_SHIM_SOURCE = Path(__file__).parents[1] / "../shared/tools/slowfsync.c"


@dataclass(frozen=True, slots=True)
class Disk:
    """`environment` is added to that of the database's processes."""

    name: str
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Servers:
    """Running servers. `superuser` opens the maintenance database."""

    folder: Path
    superuser: URL
    valkey_url: str
    children: Children

    def database(self, name: str) -> URL:
        """A fresh, empty database of that name, as the superuser."""
        with psycopg.connect(conninfo(self.superuser), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name}")
        return self.superuser.set(database=name)

    def migrated(self, name: str) -> DatabaseUrls:
        """A fresh database with our roles and schema."""
        urls = role_urls(self.database(name), app_password="app", system_password="system")
        ensure_roles(urls)
        migrate(urls.owner)
        return urls

    def analyze(self, name: str) -> None:
        """What autovacuum does within a minute of use: plans made for empty tables are thrown away."""
        address = conninfo(self.superuser.set(database=name))
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("ANALYZE")


class _Slowed(Children):
    """Starts the database with the shim in its environment; everything else as it comes."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__()
        self._environment = environment

    def start(self, command: Command) -> Child:
        if command.name == "postgres" and self._environment:
            added = {**(command.environment or {}), **self._environment}
            command = replace(command, environment=added)
        return super().start(command)


@contextmanager
def disks() -> Iterator[list[Disk]]:
    """The fast disk, and the slow one where its shim can be had; else says why not."""
    found = [Disk("fast disk", {})]
    source = Path(os.environ.get("TREASURER_SLOWFSYNC", _SHIM_SOURCE))
    with tempfile.TemporaryDirectory(prefix="treasurer-bench-") as folder:
        # The database's own account must reach the library.
        Path(folder).chmod(0o755)
        library = Path(folder) / "slowfsync.so"
        if not source.exists():
            print(f"no slow disk: {source} is not there; TREASURER_SLOWFSYNC names another place")
        elif (compiler := shutil.which("cc")) is None:
            print("no slow disk: its shim needs a C compiler, and there is no cc")
        else:
            subprocess.run(
                [compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True
            )
            library.chmod(0o755)
            environment = {"LD_PRELOAD": str(library), "FSYNC_DELAY_US": str(FLUSH_DELAY_US)}
            found.append(Disk("1 ms flush", environment))
        yield found


@contextmanager
def serve(disk: Disk) -> Iterator[Servers]:
    """PostgreSQL on that disk, and Valkey, with fresh data that are removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="treasurer-bench-") as root:
        folder = open_data_folder(Path(root))
        with _Slowed(disk.environment) as children:
            valkey = start_valkey(folder, children)
            postgres = start_postgres(folder, children)
            yield Servers(folder.root, psycopg_url(postgres.dsn), valkey.url, children)
