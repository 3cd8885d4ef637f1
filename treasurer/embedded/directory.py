"""Owns the data folder's layout, its lock, and short places for sockets. Must never start anything."""

import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from treasurer.embedded.service_user import ServiceUser
from treasurer.kernel.errors import Conflict, NotPermitted

LONGEST_SOCKET_PATH = 100
"""The kernel takes 107 bytes and PostgreSQL adds a lock file's suffix beside its socket."""

LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"
_LOCK_RETRY_S = 0.05


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The folder that holds everything of one installation, by default `.treasurer/`. Mode 0700."""

    root: Path

    def part(self, name: str, owner: ServiceUser | None = None) -> Path:
        """The subfolder `name`, made with mode 0700 for `owner` (None: whoever runs this)."""
        return _private_folder(self.root / name, owner)

    def log(self, name: str) -> Path:
        """Where the process `name` writes what it prints."""
        return self.part("logs") / f"{name}.log"

    def socket_folder(self, name: str, owner: ServiceUser | None = None) -> Path:
        """A folder for the sockets of `name`, mode 0700, whose paths a Unix socket can bear.

        It lies under the data folder, unless that path is too long or `owner` cannot reach it: then
        in the system's temporary folder, under a name that a second start finds again.
        """
        inside = self.root / "sockets" / name
        longest = len(os.fsencode(inside / LONGEST_SOCKET_NAME))
        if owner is None and longest <= LONGEST_SOCKET_PATH:
            return _private_folder(inside, None)
        key = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
        return _private_folder(Path(tempfile.gettempdir()) / f"treasurer-{key}", owner)


def open_data_folder(path: Path) -> DataFolder:
    """Make `path` private (0700) if it is new, and describe it. The caller locks it before use."""
    return DataFolder(_private_folder(path.absolute(), None))


@contextmanager
def lock_folder(path: Path, patience_s: float = 0.0) -> Iterator[None]:
    """Hold `path` for this process alone; the kernel lets go when the process ends, however it ends.

    Waits up to `patience_s` for another holder. Raises Conflict `DATA_FOLDER_IN_USE`.
    """
    descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take_lock(descriptor, path, patience_s)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether a process holds `path` now. Does not wait, and a holder to come is not kept out."""
    try:
        descriptor = os.open(path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _take_lock(descriptor: int, path: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(_LOCK_RETRY_S)
                continue
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise Conflict(
                "DATA_FOLDER_IN_USE",
                f"{path} is in use by process {holder}; stop it, or choose another data folder",
                path=str(path),
                holder=holder,
            ) from None


def _private_folder(path: Path, owner: ServiceUser | None) -> Path:
    """Make `path` with mode 0700. A folder of somebody else is refused: in a temporary place it may
    have been put there to listen."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner_uid = os.geteuid() if owner is None else owner.uid
    try:
        path.mkdir(mode=0o700)
        if owner is not None:
            os.chown(path, owner.uid, owner.gid)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner_uid:
            raise NotPermitted(
                "DATA_FOLDER_OWNER",
                f"{path} is not a folder of user id {owner_uid}; remove it or choose another place",
                path=str(path),
            ) from None
        path.chmod(0o700)
    return path
