"""Owns opening the services of a running installation for one command, on its own host.

Must never make the installation's secrets: a fresh key would sign tokens that nobody accepts.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from treasurer.cli.running import require_services
from treasurer.kernel.errors import NotPermitted, Transient
from treasurer.settings import Settings

if TYPE_CHECKING:
    from treasurer.bootstrap import Core


@asynccontextmanager
async def attached_core(settings: Settings) -> AsyncIterator["Core"]:
    """The services over the database that is given, or embedded and running now.

    Raises Conflict NOTHING_RUNS, NotPermitted NOT_THIS_HOST, Transient DATABASE_UNREACHABLE.
    """
    found = require_services(settings)
    require_secrets(found)
    # Imported here, because a refusal above should be quick.
    from sqlalchemy.exc import InterfaceError, OperationalError

    from treasurer.bootstrap import open_core

    core = open_core(found, pool_size=2)
    try:
        yield core
    except (OperationalError, InterfaceError) as error:
        # The driver's first line; it names hosts and roles, never passwords.
        lines = str(error.orig).strip().splitlines()
        raise Transient(
            "DATABASE_UNREACHABLE",
            f"the database does not answer: {lines[0] if lines else type(error.orig).__name__}",
        ) from error
    finally:
        await core.close()


def require_secrets(settings: Settings) -> None:
    """Raise NotPermitted unless the secrets that the running processes use can be read here."""
    passwords_given = settings.database_app_password and settings.database_system_password
    needed = [settings.home.token_key]
    if not passwords_given:
        needed.append(settings.home.database_passwords)
    for path in needed:
        if not path.exists():
            raise NotPermitted(
                "NOT_THIS_HOST",
                f"{path} is missing: run this where the API runs, with the same TREASURER_HOME",
            )
