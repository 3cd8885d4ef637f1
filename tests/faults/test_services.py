"""PostgreSQL dies in mid-commit and its disk runs full: nothing is lost, nothing is paid twice.

Clocks that are an hour off are a fault of every schedule; losing Valkey is tested on real processes.
"""

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext

from saga.engine import Pump
from tests.faults.chain import NodeChain
from tests.faults.world import World, build_world
from tests.support.database import migrated_database
from tests.support.embedded import temporary_folder
from treasurer.db.engine import Database, open_database, psycopg_url
from treasurer.embedded.directory import DataFolder
from treasurer.embedded.postgres import PostgresServer, start_postgres
from treasurer.embedded.processes import Children

DISK_MB = 192
AMOUNTS = [100_000_000 + 10_000 * index for index in range(6)]


class Server:
    """A PostgreSQL over one folder that can be killed and started again at the same address."""

    def __init__(self, folder: DataFolder, children: Children) -> None:
        self._folder = folder
        self._children = children
        self.present: PostgresServer = start_postgres(folder, children)

    @property
    def running(self) -> bool:
        return self.present.child.running

    def kill(self) -> None:
        """SIGKILL to the postmaster: its backends die with it, nothing is flushed or answered."""
        self.present.child.process.kill()
        self.present.child.process.wait(10)

    def start_again(self) -> None:
        self._children.remove(self.present.child)
        self.present = start_postgres(self._folder, self._children)


@asynccontextmanager
async def own_world(
    root: Path | None = None, *, name: str
) -> AsyncIterator[tuple[World, Server, Database]]:
    """A world on a server of its own, which is running again at the end."""
    with temporary_folder(root) as folder, Children() as children:
        server = Server(folder, children)
        with migrated_database(psycopg_url(server.present.dsn), "services") as urls:
            database = open_database(urls, pool_size=3)
            try:
                yield await build_world(database, name), server, database
            finally:
                await database.close()


async def _tried(pump: Pump) -> bool:
    """One pass; whether it ended, which it does not without its database."""
    try:
        await pump.pass_once()
    except Exception:
        return False
    return True


async def _paid_once(world: World, pump: Pump) -> None:
    """Goes on until everything is settled, and lets the auditor look."""
    for _ in range(40):
        world.clock.advance(seconds=21)
        await _tried(pump)
        world.node.mine()
    assert await world.rows("SELECT state, count(*) FROM payments GROUP BY 1") == [
        ("settled", len(AMOUNTS))
    ]
    received = [world.node.state.tokens[payee.addresses[0].address] for payee in world.payees]
    assert received == [sum(AMOUNTS[index :: len(received)]) for index in range(len(received))]
    await world.audit.seal(world.organization.id)
    report = await world.reconciliation().examine(world.organization.id)
    assert [result for result in report.results if not result.holds] == []


@contextmanager
def at_commit(number: int, then: Callable[[], None]) -> Iterator[None]:
    """Calls `then` when the commit of that number is about to be sent."""
    left = [number]

    def on_commit(_: Connection) -> None:
        left[0] -= 1
        if left[0] == 0:
            then()

    event.listen(Engine, "commit", on_commit)
    try:
        yield
    finally:
        event.remove(Engine, "commit", on_commit)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
async def test_postgres_dies_in_mid_commit(quiet: None, seed: int) -> None:
    rng = Random(seed)
    async with own_world(name=f"mid-commit {seed}") as (world, server, _):
        await world.approve(AMOUNTS)
        pump = Pump(world.context(NodeChain(world.node)), world.signer)  # type: ignore[arg-type]
        deaths = 0
        for _ in range(6):
            with at_commit(rng.randint(1, 8), server.kill):
                await _tried(pump)
            if not server.running:
                deaths += 1
                server.start_again()
                await world.database.close()
            world.node.mine()
            world.clock.advance(seconds=21)
        assert deaths >= 3
        await _paid_once(world, pump)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own for PostgreSQL, where this machine lets us mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0755", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk is not permitted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.soak
async def test_the_disk_runs_full(quiet: None, small_disk: Path) -> None:
    async with own_world(small_disk / "data", name="full disk") as (world, server, _):
        await world.approve(AMOUNTS)
        pump = Pump(world.context(NodeChain(world.node)), world.signer)  # type: ignore[arg-type]
        ballast = small_disk / "ballast"
        refused: list[str] = []
        for turn in range(4):
            _fill(ballast)
            with errors_of_the_database(refused):
                for _ in range(turn + 1):
                    await _tried(pump)
                    world.node.mine()
            ballast.unlink()
            if not server.running:
                server.start_again()
            await world.database.close()
            world.clock.advance(seconds=21)
            await _tried(pump)
        assert any("No space left" in one for one in refused), refused
        await _paid_once(world, pump)


@contextmanager
def errors_of_the_database(texts: list[str]) -> Iterator[None]:
    """Collects what the server says while it cannot do what it was asked."""

    def on_error(context: ExceptionContext) -> None:
        texts.append(str(context.original_exception))

    event.listen(Engine, "handle_error", on_error)
    try:
        yield
    finally:
        event.remove(Engine, "handle_error", on_error)


def _fill(ballast: Path) -> None:
    """Until not a page is left."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return
