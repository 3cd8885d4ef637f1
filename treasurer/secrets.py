"""Owns the files of secrets that an installation makes for itself. Must never print one."""

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.engine import URL

from treasurer.db.engine import DatabaseUrls, psycopg_url
from treasurer.db.roles import role_urls
from treasurer.identity.tokens import new_private_key
from treasurer.kernel.errors import InvalidInput
from treasurer.settings import Settings


def database_urls(settings: Settings) -> DatabaseUrls:
    """The three sign-ins of DATABASE_URL; role passwords from the settings or the secrets file."""
    if settings.database_url is None:
        raise InvalidInput(
            "DATABASE_URL_MISSING",
            "set DATABASE_URL, or start the embedded database with `treasurer up`",
        )
    owner: URL = psycopg_url(settings.database_url.get_secret_value())
    if settings.database_app_password and settings.database_system_password:
        return role_urls(
            owner,
            app_password=settings.database_app_password.get_secret_value(),
            system_password=settings.database_system_password.get_secret_value(),
        )
    stored = json.loads(_kept(settings.home.database_passwords, _new_passwords))
    return role_urls(owner, app_password=stored["app"], system_password=stored["system"])


def token_key(settings: Settings) -> bytes:
    """PEM of the key that signs access tokens, made at the first start."""
    return _kept(settings.home.token_key, new_private_key)


def totp_key(settings: Settings) -> bytes:
    """The key that seals authenticators' secrets, made at the first start. Losing it loses them."""
    return _kept(settings.home.totp_key, lambda: secrets.token_bytes(32))


def _new_passwords() -> bytes:
    passwords = {role: secrets.token_urlsafe(32) for role in ("app", "system")}
    return json.dumps(passwords).encode("ascii")


def _kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's content, made at the first call; of two first callers one's file stands."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{secrets.token_hex(8)}")
    draft.touch(mode=0o600)
    draft.write_bytes(make())
    try:
        # A link, unlike a rename, never replaces what another process has just made.
        os.link(draft, path)
    except FileExistsError:
        return path.read_bytes()
    finally:
        draft.unlink()
    return path.read_bytes()
