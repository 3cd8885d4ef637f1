"""Owns running.json: where the parts of a running `treasurer up` are found, by other commands and by
its own processes, which load while the parts start.

Must never hold a password, nor an address that the operator gave: those stand in the settings of
every command, and may carry secrets.
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from treasurer.embedded.directory import is_locked
from treasurer.kernel.errors import Conflict, Transient
from treasurer.settings import Settings

EMBEDDED = ("database_url", "redis_url", "rpc_url")
"""Settings that `treasurer up` fills in where the operator left them open."""
_PLAIN = ("treasurer_host", "treasurer_port", "public_url")
"""Tokens name the URL of the dashboard as their issuer, so all commands have to agree on it."""
_PUBLISH_TIMEOUT_S = 60.0
_PUBLISH_POLL_S = 0.01


def publish_running(given: Settings, started: Settings) -> None:
    """Write where the embedded parts of the installation are: those that `given` left open."""
    content: dict[str, str | int | None] = {name: getattr(started, name) for name in _PLAIN}
    for name in EMBEDDED:
        address: SecretStr | None = getattr(started, name)
        if getattr(given, name) is None and address is not None:
            content[name] = address.get_secret_value()
    path = started.home.running
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"pid": os.getpid(), **content}, file, indent=2, sort_keys=True)
    draft.replace(path)


def withdraw_running(settings: Settings) -> None:
    """Nothing runs any more."""
    settings.home.running.unlink(missing_ok=True)


def running_settings(settings: Settings) -> Settings | None:
    """`settings` with the running parts' addresses; None while no `treasurer up` holds the folder.

    What the operator gave stays as given.
    """
    if not is_locked(settings.home.root):
        # A killed one leaves its file behind; the kernel let its lock go.
        return None
    content = _published(settings)
    return None if content is None else _filled(settings, content)


def await_running(settings: Settings) -> Settings:
    """As `running_settings`, for a process that this `treasurer up` started before its parts.

    Raises Transient when it publishes nothing. Should it die meanwhile, the kernel ends this process.
    """
    deadline = time.monotonic() + _PUBLISH_TIMEOUT_S
    while time.monotonic() < deadline:
        content = _published(settings)
        # A file that a killed one left names another process.
        if content is not None and content["pid"] == os.getppid():
            return _filled(settings, content)
        time.sleep(_PUBLISH_POLL_S)
    raise Transient(
        "NOT_PUBLISHED", "`treasurer up` did not say where its parts are; see its output"
    )


def _published(settings: Settings) -> Mapping[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(settings.home.running.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content


def _filled(settings: Settings, content: Mapping[str, Any]) -> Settings:
    """`settings` with the addresses that they left open."""
    found: dict[str, object] = {name: content[name] for name in _PLAIN}
    found |= {
        name: SecretStr(content[name])
        for name in EMBEDDED
        if name in content and getattr(settings, name) is None
    }
    return settings.model_copy(update={"treasurer_home": settings.home.root, **found})


def require_services(settings: Settings) -> Settings:
    """Settings that name a database and a cache: given, or those of the running `treasurer up`.

    Raises Conflict NOTHING_RUNS when a part is neither given nor running.
    """
    found = running_settings(settings) or settings
    if found.database_url is None or found.redis_url is None:
        raise Conflict("NOTHING_RUNS", nothing_runs(settings.home.root))
    return found


def nothing_runs(root: Path) -> str:
    """What to do about an embedded part that does not run."""
    return (
        f"nothing runs on {root}: start `treasurer up` in another terminal, "
        "or set DATABASE_URL and REDIS_URL"
    )
