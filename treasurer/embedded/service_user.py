"""Owns the choice of the user that PostgreSQL runs as. Must never give it more rights than ours.

PostgreSQL refuses to run as root, so root lends its data to an account without rights.
"""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from treasurer.kernel.errors import Permanent

UNPRIVILEGED_NAME = "nobody"


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """Numeric ids, because a container's image may know no names."""

    uid: int
    gid: int


def service_user_for(data: Path) -> ServiceUser | None:
    """Whom the database with its data at `data` runs as; None: as ourselves, for we are not root.

    Data that exist keep their owner, so that `sudo` does not lock an ordinary user out.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        found = data.stat()
        return ServiceUser(found.st_uid, found.st_gid)
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_NAME)
    except KeyError as error:
        raise Permanent(
            "NO_UNPRIVILEGED_USER",
            f"PostgreSQL refuses to run as root and there is no user {UNPRIVILEGED_NAME}; start as an "
            "ordinary user, or set DATABASE_URL to a server of yours",
        ) from error
    return ServiceUser(entry.pw_uid, entry.pw_gid)


def others_may_read(path: Path) -> bool:
    """Whether any account may read the folder `path` and pass all folders above it."""
    resolved = path.resolve()
    readable = resolved.stat().st_mode & 0o005 == 0o005
    return readable and all(parent.stat().st_mode & 0o001 for parent in resolved.parents)
