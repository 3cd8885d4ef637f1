"""Owns the private PostgreSQL: cluster, start, address. Never listens on TCP, trusts no local user."""

import os
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from treasurer.embedded.directory import DataFolder
from treasurer.embedded.postgres_install import MAJOR, PostgresInstall, find_postgres
from treasurer.embedded.processes import Child, Children, Command
from treasurer.embedded.service_user import ServiceUser, service_user_for
from treasurer.kernel.errors import Permanent, Transient

SUPERUSER = "postgres"
START_TIMEOUT_S = 30.0
ORPHAN_PATIENCE_S = 10.0
"""How long a server that a killed supervisor left behind may take to end."""

_ORPHAN_WORDS = ("lock file", "pre-existing shared memory block")
_CURRENT_FOLDER = "/proc/self/cwd"
_SOCKET_NAME = ".s.PGSQL.5432"
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "80",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    # A young installation's tables grow from nothing, and plans made for empty ones cost thrice.
    "autovacuum_naptime": "10s",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}
"""Small, for one machine. Durability keeps its defaults: a commit is on disk."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server. `dsn` opens the maintenance database as the superuser."""

    child: Child
    socket_folder: Path
    password: str

    @property
    def dsn(self) -> str:
        """libpq URL; the caller makes its own roles and databases and stops using this one."""
        return (
            f"postgresql://{SUPERUSER}:{quote(self.password)}@/postgres?host={self.socket_folder}"
        )


def start_postgres(
    folder: DataFolder, children: Children, *, meanwhile: Callable[[], None] = lambda: None
) -> PostgresServer:
    """Start the server of `folder`, making its cluster first where there is none.

    That takes seconds, hardly any of them ours: `meanwhile` is called once while it is made. The caller
    holds the folder's lock. Raises Transient when it does not come up, Permanent when the data belong
    to another major version.
    """
    home = folder.root / "postgres"
    data = home / "data"
    if data.exists():
        _require_major(data)
    user = service_user_for(data)
    install = find_postgres(user)
    folder.part("postgres")
    sockets = folder.socket_folder("postgres", user)
    password = _password(home / "superuser.password")
    if not data.exists():
        _make_cluster(home, sockets, password, install, user, folder.log("initdb"), meanwhile)
    child = _start_when_free(
        Command(
            name="postgres",
            arguments=(
                install.binary("postgres"),
                "-D",
                _address_of(data, user),
                "-k",
                str(sockets),
                *(part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")),
            ),
            log=folder.log("postgres"),
            environment={"LC_ALL": "C", "PATH": os.defpath},
            folder=data,
            user=user,
            # Fast shutdown: sessions are ended and a checkpoint is written.
            stop_signal=signal.SIGINT,
        ),
        children,
        data / "postmaster.pid",
    )
    return PostgresServer(child, sockets, password)


def _address_of(data: Path, user: ServiceUser | None) -> str:
    """How the server names its data folder, in which it is started.

    Root's folders are often closed to the account that it runs as; its current folder is not.
    """
    return str(data) if user is None else _CURRENT_FOLDER


def _password(path: Path) -> str:
    """The superuser's password: written before the cluster is made, so that it is never lost."""
    if not path.exists():
        unfinished = path.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_urlsafe(32), encoding="ascii")
        unfinished.replace(path)
    return path.read_text(encoding="ascii")


def _make_cluster(
    home: Path,
    sockets: Path,
    password: str,
    install: PostgresInstall,
    user: ServiceUser | None,
    log: Path,
    meanwhile: Callable[[], None],
) -> None:
    """Make the cluster beside its place and move it there: a kill half-way leaves nothing half-made."""
    unfinished = home / "data.new"
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    password_file = sockets / "initdb.password"
    password_file.touch(mode=0o600)
    password_file.write_text(password, encoding="ascii")
    if user is not None:
        for path in (unfinished, password_file):
            os.chown(path, user.uid, user.gid)
    command = Command(
        name="initdb",
        arguments=(
            install.binary("initdb"),
            f"--pgdata={_address_of(unfinished, user)}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
        ),
        log=log,
        environment={"LC_ALL": "C", "PATH": os.defpath},
        folder=unfinished,
        user=user,
    )
    try:
        with Children() as maker:
            child = maker.start(command)
            meanwhile()
            child.wait_until(lambda: child.process.poll() == 0, START_TIMEOUT_S)
    finally:
        password_file.unlink()
    unfinished.rename(home / "data")


def _require_major(data: Path) -> None:
    version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if version != str(MAJOR):
        raise Permanent(
            "POSTGRES_MAJOR",
            f"{data} was made by PostgreSQL {version}, this is {MAJOR}; dump it with the old version "
            "and restore it into a new data folder",
        )


def _start_when_free(command: Command, children: Children, pid_file: Path) -> Child:
    deadline = time.monotonic() + ORPHAN_PATIENCE_S
    while True:
        child = children.start(command)
        try:
            child.wait_until(partial(_accepts, pid_file, child), START_TIMEOUT_S)
            return child
        except Transient:
            # The last words are this attempt's: the log is only ever appended to.
            orphan = any(words in child.log_tail() for words in _ORPHAN_WORDS)
            children.remove(child)
            if not orphan or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _accepts(pid_file: Path, child: Child) -> bool:
    """Whether the server itself says that it takes connections: line 1 its pid, line 8 its state."""
    try:
        lines = pid_file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(child.process.pid) and lines[7].strip() == "ready"
