"""Owns asking each service of an installation whether it answers. Must never show a secret address."""

import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sqlalchemy import text

from signer.limits import DEVELOPMENT_CHAIN_ID
from treasurer.chain.networks import NetworkProfile
from treasurer.cli.attached import require_secrets
from treasurer.cli.checkup import Finding, bad, good, looked_at, note
from treasurer.settings import Settings

_NOT_RUNNING = "embedded, not running: start `treasurer up`"
_SKEW_S = 15
"""A block may be stamped this far ahead of an honest clock."""
_VERSION = text("SHOW server_version")


async def look_at_services(given: Settings, found: Settings) -> list[Finding]:
    """Every service by name. `given` are the operator's settings, `found` with what runs embedded."""
    return [
        *await _database(given, found),
        *await _redis(given, found),
        *await _mail(found),
        *await _model(found),
    ]


async def _database(given: Settings, found: Settings) -> Sequence[Finding]:
    subject, where = "database", _where(given.database_url, "PostgreSQL", "DATABASE_URL")
    if found.database_url is None:
        return [bad(subject, _NOT_RUNNING)]

    async def look() -> Sequence[Finding]:
        from treasurer.db.engine import open_database
        from treasurer.secrets import database_urls

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
    subject, where = "cache", _where(given.redis_url, "Valkey", "REDIS_URL")
    if found.redis_url is None:
        return [bad(subject, _NOT_RUNNING)]
    url = found.redis_url.get_secret_value()

    async def look() -> Sequence[Finding]:
        from redis.asyncio import Redis

        valkey = Redis.from_url(url)
        try:
            await valkey.ping()
        finally:
            await valkey.aclose()
        return [good(subject, f"{where}, answers")]

    return await looked_at(subject, where, look)


async def look_at_chain(
    given: Settings, found: Settings, network: NetworkProfile
) -> Sequence[Finding]:
    """The node, what is pinned about its network, and the two clocks."""
    subject, where = "chain", _where(given.rpc_url, "development chain", "RPC_URL")
    if found.rpc_url is None:
        return [bad(subject, _NOT_RUNNING)]
    url = found.rpc_url.get_secret_value()

    async def look() -> Sequence[Finding]:
        from treasurer.chain.evm import EvmChain
        from treasurer.chain.pinning import verify_network

        async with EvmChain(url, network) as chain:
            contradictions = await verify_network(chain, network)
            if contradictions:
                return [bad(subject, f"{where}: {entry.message}") for entry in contradictions]
            head = await chain.head()
        names = ", ".join(token.symbol for token in network.tokens)
        return [
            good(
                subject,
                f"{where}, answers at block {head.number} of {network.name};"
                f" chain id, genesis and {names} are as pinned",
            ),
            clock_finding(network, head.timestamp, datetime.now(UTC)),
        ]

    return await looked_at(subject, where, look)


def clock_finding(network: NetworkProfile, head_s: int, now: datetime) -> Finding:
    """This clock against the newest block's. An idle development chain may be old."""
    age_s = int(now.timestamp()) - head_s
    if age_s < -_SKEW_S:
        return bad(
            "clock",
            f"this clock is {-age_s} s behind the chain: deadlines would be missed; set it by NTP",
        )
    if network.chain_id != DEVELOPMENT_CHAIN_ID and age_s > 60 + 10 * network.block_time_s:
        return bad(
            "clock",
            f"the newest block is {age_s} s old: either this clock is ahead or the node is behind",
        )
    return good("clock", f"in step with the chain, whose newest block is {max(0, age_s)} s old")


async def look_at_signer(found: Settings, network: NetworkProfile) -> Sequence[Finding]:
    """Whether the signer answers, would sign, and is kept from the other processes."""
    subject = "signer"
    path = found.signer_socket or found.home.signer / "signer.sock"
    if found.signer_socket is None and not path.exists():
        return [bad(subject, _NOT_RUNNING)]
    where = f"at SIGNER_SOCKET {path}" if found.signer_socket else "embedded"

    async def look() -> Sequence[Finding]:
        from treasurer.chain.signer_client import SignerClient

        client = SignerClient(path)
        try:
            status = await client.status()
        finally:
            await client.close()
        findings = [good(subject, f"{where}, answers")]
        if status.frozen_reason:
            findings = [bad(subject, f"frozen by the {status.frozen_by}: {status.frozen_reason}")]
        findings += [
            bad(
                subject,
                f"the journal is behind the chain for {wallet.wallet}: find out who sent, then run"
                " `python -m signer adopt`",
            )
            for wallet in status.wallets
            if wallet.nonce_check == "behind" or wallet.next_nonce is None
        ]
        return [*findings, _isolation(status.isolated, network)]

    return await looked_at(subject, where, look)


def _isolation(isolated: bool, network: NetworkProfile) -> Finding:
    if isolated:
        return good("isolation", "the signer is kept from the other processes")
    sentence = "one user runs everything here, which is no isolation"
    if network.chain_id == DEVELOPMENT_CHAIN_ID:
        return note("isolation", f"{sentence}: the signer signs for the development chain only")
    return bad(
        "isolation",
        f"{sentence}: the signer will not sign for {network.name}; run it as a user of its own",
    )


async def _mail(found: Settings) -> Sequence[Finding]:
    if found.smtp_url is None:
        return [note("mail", f"no SMTP_URL: mails become files in {found.home.mails}")]
    url = found.smtp_url.get_secret_value()

    async def look() -> Sequence[Finding]:
        import asyncio

        from treasurer.notifications.smtp import parse_smtp_url

        server = parse_smtp_url(url)
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.close()
        return [good("mail", f"given by SMTP_URL, {server.host}:{server.port} answers")]

    return await looked_at("mail", "given by SMTP_URL", look)


async def _model(found: Settings) -> Sequence[Finding]:
    if found.openai_api_key is None and found.openai_base_url is None:
        return [
            note(
                "model",
                "offline: documents are read by rules; set OPENAI_API_KEY or OPENAI_BASE_URL for"
                " a model",
            )
        ]
    base = (found.openai_base_url or "https://api.openai.com/v1").rstrip("/")
    host = urlsplit(base).netloc.rpartition("@")[2]
    key = found.openai_api_key.get_secret_value() if found.openai_api_key else "unused"

    async def look() -> Sequence[Finding]:
        import httpx

        async with httpx.AsyncClient(timeout=4) as client:
            answer = await client.get(f"{base}/models", headers={"Authorization": f"Bearer {key}"})
        if answer.status_code in {401, 403}:
            return [bad("model", f"{host} refuses the key: check OPENAI_API_KEY")]
        if answer.status_code >= 500:
            return [bad("model", f"{host} answers with status {answer.status_code}")]
        return [good("model", f"{found.openai_model} at {host}, which answers")]

    return await looked_at("model", f"{found.openai_model} at {host}", look)


def _where(given: object, what: str, variable: str) -> str:
    return f"given by {variable}" if given is not None else f"embedded {what}"


def listens(settings: Settings) -> Finding:
    """Whether the dashboard's port takes connections."""
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex((settings.treasurer_host, settings.treasurer_port)) == 0
    if taken:
        return good("api", f"answers at {settings.url}")
    return bad("api", f"nothing listens at {settings.url}: start `treasurer up`")
