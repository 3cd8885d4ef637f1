"""Owns signer, worker and API of `treasurer up`. Worker and API load while the parts start.

Must never give them the address by which the operator's database is owned.
"""

from typing import TYPE_CHECKING

from pydantic import SecretStr

from treasurer.cli.installation import Installation, await_file, await_http, start_ours
from treasurer.cli.running import publish_running
from treasurer.embedded.directory import DataFolder
from treasurer.embedded.processes import Child, Children
from treasurer.settings import Settings

if TYPE_CHECKING:
    from treasurer.chain.networks import NetworkProfile

READY_FILE = "worker.ready"


class OwnProcesses:
    """First `load`, then `go`, then `wait`, each once."""

    def __init__(self, given: Settings) -> None:
        self._given = given
        self._worker: Child | None = None
        self._api: Child | None = None
        self._signer: Child | None = None

    def load(self, folder: DataFolder, children: Children) -> None:
        """Start worker and API, which load their libraries and then wait for `go`."""
        ready = folder.root / READY_FILE
        ready.unlink(missing_ok=True)
        settings = self._given.model_copy(
            update={"treasurer_home": folder.root, "database_url": self._database_url()}
        )
        arguments = ("treasurer.cli", "worker", "--await-up", "--ready-file", str(ready))
        self._worker = start_ours(folder, children, settings, "worker", *arguments)
        self._api = start_ours(
            folder, children, settings, "api", "treasurer.cli", "serve", "--await-up"
        )

    def go(
        self, installation: Installation, network: "NetworkProfile", passphrase: str | None
    ) -> None:
        """Start the signer and tell all where the parts are."""
        if self._given.signer_socket is None:
            self._signer = installation.run_signer(network, passphrase)
        for child in (self._worker, self._api):
            assert child is not None
            installation.children.stop_sooner(child)
        publish_running(self._given, installation.settings)

    def wait(self, settings: Settings) -> None:
        """Return when all serve. Raises Transient with the log of the one that does not."""
        assert self._worker is not None
        assert self._api is not None
        if self._signer is not None:
            await_file(self._signer, settings.home.signer / "signer.sock")
        await_http(self._api, settings.treasurer_host, settings.treasurer_port)
        await_file(self._worker, settings.home.root / READY_FILE)

    def _database_url(self) -> SecretStr | None:
        if self._given.database_url is None:
            return None
        # Imported here: an embedded database is not waited for by this.
        from treasurer.cli.schema import without_owner
        from treasurer.secrets import database_urls

        return SecretStr(without_owner(database_urls(self._given)))
