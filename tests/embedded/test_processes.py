"""Child processes: readiness, order of the end, and what happens when they do not behave."""

import signal
from pathlib import Path

import pytest

from tests.support.embedded import wait_for
from treasurer.embedded.processes import Children, Command
from treasurer.kernel.errors import Transient

STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.05; done"


def shell(tmp_path: Path, name: str, script: str, stop_timeout_s: float = 5.0) -> Command:
    return Command(
        name=name,
        arguments=("/bin/sh", "-c", script),
        log=tmp_path / f"{name}.log",
        stop_timeout_s=stop_timeout_s,
    )


def test_child_that_ends_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with Children() as children:
        child = children.start(shell(tmp_path, "broken", "echo no such port >&2; exit 3"))
        with pytest.raises(Transient) as caught:
            child.wait_until(lambda: False, 10)
    assert caught.value.code == "CHILD_EXITED"
    assert "ended with status 3" in caught.value.message
    assert caught.value.message.endswith("no such port")


def test_child_that_never_gets_ready_is_reported_and_stopped(tmp_path: Path) -> None:
    with Children() as children:
        child = children.start(shell(tmp_path, "slow", "exec sleep 60"))
        with pytest.raises(Transient) as caught:
            child.wait_until(lambda: False, 0.05)
        assert child.running
    assert caught.value.code == "CHILD_NOT_READY"
    assert child.process.returncode == -signal.SIGTERM


def test_children_are_stopped_last_started_first(tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = f"trap 'echo NAME >> {order}; exit 0' TERM; echo up; while :; do sleep 0.01; done"
    with Children() as children:
        for name in ("database", "chain", "worker"):
            child = children.start(shell(tmp_path, name, script.replace("NAME", name)))
            wait_for(lambda log=child.command.log: log.read_text() == "up\n", f"{name} up")
    assert order.read_text().split() == ["worker", "chain", "database"]


def test_child_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    with Children() as children:
        child = children.start(shell(tmp_path, "stubborn", STUBBORN, stop_timeout_s=0.1))
        wait_for(lambda: child.command.log.read_text() == "up\n", "the trap stands")
    assert child.process.returncode == -signal.SIGKILL


def test_ended_names_the_child_that_nobody_stopped(tmp_path: Path) -> None:
    with Children() as children:
        children.start(shell(tmp_path, "steady", "exec sleep 60"))
        brief = children.start(shell(tmp_path, "brief", "exit 0"))
        wait_for(lambda: children.ended() is not None, "a child ended")
        assert children.ended() is brief
