"""Places to run the command in, and one installation that was set up by `init` and runs by `up`."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import CANARY, Ended, Place, Up, add_key, init_arguments, running_up


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Ended]:
    """A place where `treasurer init` ran, and what it said."""
    place = Place(tmp_path_factory.mktemp("founded"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place.variables["TREASURER_PORT"] = str(probe.getsockname()[1])
    # Tests ask more often than people.
    place.variables["REQUESTS_PER_MINUTE"] = "100000"
    place.variables["SIGNER_PASSPHRASE_FILE"] = str(place.folder / "passphrase")
    ended = place.run(*init_arguments(place), "--enroll-payees")
    assert ended.status == 0, ended
    add_key(place, CANARY)
    return place, ended


@pytest.fixture(scope="module")
def up(founded: tuple[Place, Ended]) -> Iterator[Up]:
    with running_up(founded[0]) as running:
        yield running
