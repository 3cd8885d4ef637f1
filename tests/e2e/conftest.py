"""One installation for the module: the demonstration's services without its worker and API."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from treasurer.bootstrap import Core, open_core
from treasurer.cli.demonstration import Norwick, seed
from treasurer.cli.demonstration_network import prepare_network
from treasurer.cli.installation import Installation, await_file, start_installation
from treasurer.settings import Settings


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home: Path = tmp_path_factory.mktemp("home")
    settings = Settings(treasurer_home=home, treasurer_port=0, lease_s=2)
    with start_installation(settings) as started:
        prepare_network(started.settings)
        signer = started.run("signer", "signer", "--home", str(started.settings.home.signer))
        await_file(signer, started.settings.home.signer / "signer.sock")
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def core(installation: Installation) -> AsyncIterator[Core]:
    opened = open_core(installation.settings, pool_size=4)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def norwick(core: Core) -> Norwick:
    return await seed(core)
