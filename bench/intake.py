"""Owns the comparison of accepted intake with a no-op endpoint of the same framework, in one run.

Must never leave anything out of the real door: authentication, idempotency, document, row, job and
audit event stand behind every 202.
"""

import asyncio
import itertools
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from pydantic import SecretStr
from uuid_utils.compat import uuid7

from bench.disks import Servers
from bench.load import Client, paced, saturate
from treasurer.bootstrap import open_core, utc_now
from treasurer.chain.networks import shipped_profile
from treasurer.db.engine import conninfo
from treasurer.embedded.processes import Command
from treasurer.identity.organizations import NewOrganization, create_organization
from treasurer.kernel.money import Asset
from treasurer.kernel.organization import Role
from treasurer.secrets import database_urls
from treasurer.settings import Settings, process_environment

PER_S, SECONDS, BURST = 450, 8, 15


@dataclass(frozen=True, slots=True)
class Intake:
    """Accepted requests a second, a figure a round, and latencies at the paced rate."""

    accepted_per_s: list[float]
    noop_per_s: list[float]
    p50_ms: float
    p99_ms: float


async def measure(servers: Servers, *, rounds: int, requests: int) -> Intake:
    """Both servers up, rounds interleaved, then the paced load on the real door."""
    settings = api_settings(servers)
    token = await _clerk(settings)
    ports = _free_port(), settings.treasurer_port
    _start(servers, "noop", (sys.executable, "-m", "bench.noop", str(ports[0])), settings)
    _start(servers, "api", (sys.executable, "-m", "treasurer.cli", "serve"), settings)
    headers = f"Authorization: Bearer {token}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    clients = Client(ports[0], "/noop", headers), Client(ports[1], "/api/v1/invoices", headers)
    for port in ports:
        await _listening(port)
    bodies = _bodies()
    rates: tuple[list[float], list[float]] = ([], [])
    for client in clients:
        await saturate(client, bodies, requests // 5)
    servers.analyze("intake")
    for number in range(1, rounds + 1):
        for client, found in zip(clients, rates, strict=True):
            found.append(await saturate(client, bodies, requests))
        print(
            f"  round {number}: {rates[0][-1]:,.0f} no-op/s, {rates[1][-1]:,.0f} accepted/s",
            file=sys.stderr,
            flush=True,
        )
    p50_ms, p99_ms = await paced(clients[1], bodies, per_s=PER_S, seconds=SECONDS, burst=BURST)
    return Intake(rates[1], rates[0], p50_ms, p99_ms)


def _bodies() -> Iterator[tuple[bytes, str]]:
    for number in itertools.count():
        key = f"{number}-{uuid7()}"
        text = (
            f"INVOICE HF-{number}\nFrom: Halden Freight AS\nBill to: Norwick Instruments Ltd\n"
            f"Invoice date: 2026-11-20\nTotal due: 840.00 USDC\nDue: 2026-12-10\nRef: {key}\n"
        )
        yield text.encode(), key


def api_settings(servers: Servers) -> Settings:
    """What `treasurer serve` is told: a fresh database, a network, and a limit that does not bind."""
    urls = servers.migrated("intake")
    home = servers.folder / "home"
    home.mkdir(mode=0o700)
    profile = yaml.safe_load(shipped_profile("development"))
    profile["tokens"][0]["address"] = "0x" + "5f" * 20
    (home / "network.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    password = (SecretStr(str(urls.app.password)), SecretStr(str(urls.system.password)))
    return Settings(
        treasurer_home=home,
        treasurer_port=_free_port(),
        database_url=SecretStr(conninfo(urls.owner)),
        database_app_password=password[0],
        database_system_password=password[1],
        redis_url=SecretStr(servers.valkey_url),
        requests_per_minute=10**9,
        log_level="WARNING",
    )


async def _clerk(settings: Settings) -> str:
    """An organization with a clerk; the clerk's access token."""
    database_urls(settings)
    core = open_core(settings, pool_size=2)
    administrator = await create_organization(
        core.database,
        NewOrganization("Benchmark", Asset("USD", 2), True, None, "admin@bench.example", "Admin"),
        now=utc_now(),
        new_id=uuid7,
    )
    await core.identity.create_user(
        administrator.principal,
        email="clerk@bench.example",
        name="Clerk",
        roles=frozenset({Role.CLERK}),
    )
    session = await core.identity.session_for("clerk@bench.example")
    await core.close()
    return session.access_token


def _start(servers: Servers, name: str, arguments: tuple[str, ...], settings: Settings) -> None:
    servers.children.start(
        Command(
            name=name,
            arguments=arguments,
            log=servers.folder / f"{name}.log",
            environment={**process_environment(settings), "PATH": "/usr/bin:/bin"},
        )
    )


async def _listening(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
