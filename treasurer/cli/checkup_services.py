"""Owns asking each service of an installation whether it answers. Must never show a secret address."""

import asyncio
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import text

from treasurer.cli.attached import require_secrets
from treasurer.cli.checkup import Finding, bad, good, looked_at, note
from treasurer.settings import Settings

NOT_RUNNING = "embedded, not running: start `treasurer up`"
_VERSION = text("SHOW server_version")


async def look_at_services(given: Settings, found: Settings) -> list[Finding]:
    """Every service by name. `given` are the operator's settings, `found` with what runs embedded."""
    return [
        *await _database(given, found),
        *await _redis(given, found),
        *await _mail(found),
        *await _mailbox(found),
        *await _model(found),
    ]


async def _database(given: Settings, found: Settings) -> Sequence[Finding]:
    subject, where = "database", where_from(given.database_url, "PostgreSQL", "DATABASE_URL")
    if found.database_url is None:
        return [bad(subject, NOT_RUNNING)]
    from treasurer.db.engine import open_database
    from treasurer.secrets import database_urls

    async def look() -> Sequence[Finding]:
        require_secrets(found)
        database = open_database(database_urls(found), pool_size=1)
        try:
            async with database.unscoped() as connection:
                version = (await connection.execute(_VERSION)).scalar_one()
        finally:
            await database.close()
        return [good(subject, f"{where}, PostgreSQL {str(version).split()[0]} answers")]

    return await looked_at(subject, where, look)


async def _redis(given: Settings, found: Settings) -> Sequence[Finding]:
    subject, where = "cache", where_from(given.redis_url, "Valkey", "REDIS_URL")
    if found.redis_url is None:
        return [bad(subject, NOT_RUNNING)]
    from redis.asyncio import Redis

    url = found.redis_url.get_secret_value()

    async def look() -> Sequence[Finding]:
        valkey = Redis.from_url(url)
        try:
            await valkey.ping()
        finally:
            await valkey.aclose()
        return [good(subject, f"{where}, answers")]

    return await looked_at(subject, where, look)


async def _mail(found: Settings) -> Sequence[Finding]:
    if found.smtp_url is None:
        return [note("mail", f"no SMTP_URL: mails become files in {found.home.mails}")]
    from treasurer.notifications.smtp import parse_smtp_url

    url = found.smtp_url.get_secret_value()

    async def look() -> Sequence[Finding]:
        server = parse_smtp_url(url)
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.close()
        return [good("mail", f"given by SMTP_URL, {server.host}:{server.port} answers")]

    return await looked_at("mail", "given by SMTP_URL", look)


async def _mailbox(found: Settings) -> Sequence[Finding]:
    if found.imap_url is None:
        return [note("mailbox", "no IMAP_URL: invoices come by API and upload")]
    if found.imap_user is None:
        return [bad("mailbox", "IMAP_URL needs IMAP_USER: the user who submits its mails")]
    from treasurer.mailbox.imap import open_mailbox, parse_imap_url

    url = found.imap_url.get_secret_value()

    async def look() -> Sequence[Finding]:
        server = parse_imap_url(url)

        def sign_in() -> None:
            with open_mailbox(server):
                pass

        await asyncio.to_thread(sign_in)
        return [good("mailbox", f"given by IMAP_URL, {server.name} opens")]

    return await looked_at("mailbox", "given by IMAP_URL", look)


async def _model(found: Settings) -> Sequence[Finding]:
    if found.openai_api_key is None and found.openai_base_url is None:
        return [
            note(
                "model",
                "offline: documents are read by rules; set OPENAI_API_KEY or OPENAI_BASE_URL for"
                " a model",
            )
        ]
    import httpx

    base = (found.openai_base_url or "https://api.openai.com/v1").rstrip("/")
    host = urlsplit(base).netloc.rpartition("@")[2]
    key = found.openai_api_key.get_secret_value() if found.openai_api_key else "unused"

    async def look() -> Sequence[Finding]:
        async with httpx.AsyncClient(timeout=4) as client:
            answer = await client.get(f"{base}/models", headers={"Authorization": f"Bearer {key}"})
        if answer.status_code in {401, 403}:
            return [bad("model", f"{host} refuses the key: check OPENAI_API_KEY")]
        if answer.status_code >= 500:
            return [bad("model", f"{host} answers with status {answer.status_code}")]
        return [good("model", f"{found.openai_model} at {host}, which answers")]

    return await looked_at("model", f"{found.openai_model} at {host}", look)


def where_from(given: object, what: str, variable: str) -> str:
    """Whether a part is the operator's or ours, in words."""
    return f"given by {variable}" if given is not None else f"embedded {what}"


def listens(settings: Settings) -> Finding:
    """Whether the dashboard's port takes connections."""
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex((settings.treasurer_host, settings.treasurer_port)) == 0
    if taken:
        return good("api", f"answers at {settings.url}")
    return bad("api", f"nothing listens at {settings.url}: start `treasurer up`")
