"""`treasurer freeze` turns the organization's stop and the signer's switch, and `unfreeze` both back."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from signer.main import main as signer_command
from tests.support.cli import Place, Up
from treasurer.chain.signer_client import SignerClient, SignerStatus

ADA, CARL, CLEO = "ada@acme.example", "carl@acme.example", "cleo@acme.example"


@pytest.fixture
def place(up: Up) -> Iterator[Place]:
    yield up.place
    up.place.invoke("unfreeze", "the test is over", "--user", ADA)


def signer_folder(place: Place) -> Path:
    return place.home / "signer"


def signer_status(place: Place) -> SignerStatus:
    async def ask() -> SignerStatus:
        client = SignerClient(signer_folder(place) / "signer.sock")
        try:
            return await client.status()
        finally:
            await client.close()

    return asyncio.run(ask())


def test_both_stop_at_once_and_go_again(place: Place) -> None:
    ended = place.invoke("freeze", "a laptop is gone", "--user", CARL)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == (
        "Acme Ltd is frozen, by Carl Chief: a laptop is gone\nthe signer signs no payment\n"
    )
    status = signer_status(place)
    assert (status.frozen_by, status.frozen_reason) == ("caller", "a laptop is gone")
    said = place.invoke("doctor").out
    assert "Acme Ltd is frozen: nothing is paid" in said
    assert "frozen by the caller: a laptop is gone" in said
    assert place.invoke("unfreeze", "found", "--user", CARL).err == (
        "Error: this needs the permission admin:all; ask an administrator for a role with it\n"
    )
    assert signer_status(place).frozen_reason == "a laptop is gone"
    ended = place.invoke("unfreeze", "found", "--user", ADA)
    assert (ended.status, ended.out) == (
        0,
        "the signer signs again\nAcme Ltd is not frozen, by Ada Admin: found\n",
    )
    assert signer_status(place).frozen_reason is None
    assert "is frozen" not in place.invoke("doctor").out


def test_who_may_not(place: Place) -> None:
    ended = place.invoke("freeze", "because", "--user", CLEO)
    assert (ended.status, ended.out) == (1, "")
    assert "payments:freeze" in ended.err
    assert signer_status(place).frozen_reason is None


def test_the_hosts_freeze_keeps_the_organizations(place: Place) -> None:
    host = ["--home", str(signer_folder(place))]
    place.invoke("freeze", "both", "--user", ADA)
    assert signer_command(["freeze", *host, "--reason", "investigation"]) == 0
    try:
        ended = place.invoke("unfreeze", "too early", "--user", ADA)
        assert ended.status == 1
        assert "frozen on its own host" in ended.err
        assert "Acme Ltd is frozen" in place.invoke("doctor").out
    finally:
        assert signer_command(["unfreeze", *host]) == 0


def test_an_organization_by_itself(place: Place) -> None:
    ended = place.invoke("freeze", "only us", "--user", ADA, "--organization-only")
    assert ended.out == "Acme Ltd is frozen, by Ada Admin: only us\n"
    assert signer_status(place).frozen_reason is None


def test_a_signer_that_is_away_leaves_the_organization_frozen(place: Place) -> None:
    ended = place.invoke(
        "freeze", "now", "--user", ADA, SIGNER_SOCKET=str(place.folder / "nothing.sock")
    )
    assert ended.status == 1
    assert ended.out == "Acme Ltd is frozen, by Ada Admin: now\n"
    assert "The organization's freeze holds" in ended.err
