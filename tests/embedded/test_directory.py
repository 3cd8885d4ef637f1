"""The data folder: its lock, its modes, and places for sockets."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from treasurer.embedded.directory import (
    LONGEST_SOCKET_NAME,
    LONGEST_SOCKET_PATH,
    lock_folder,
    open_data_folder,
)
from treasurer.embedded.service_user import ServiceUser
from treasurer.kernel.errors import Conflict, NotPermitted


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folder_and_its_parts_are_private(tmp_path: Path) -> None:
    folder = open_data_folder(tmp_path / ".treasurer")
    part = folder.part("chain")
    assert mode(folder.root) == 0o700
    assert mode(part) == 0o700
    assert part == tmp_path / ".treasurer" / "chain"


def test_second_holder_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    with lock_folder(tmp_path), pytest.raises(Conflict) as caught, lock_folder(tmp_path):
        pass
    assert caught.value.code == "DATA_FOLDER_IN_USE"
    assert caught.value.data == {"path": str(tmp_path), "holder": str(os.getpid())}
    assert caught.value.message == (
        f"{tmp_path} is in use by process {os.getpid()}; stop it, or choose another data folder"
    )


def test_lock_is_free_after_its_holder_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path;"
        "from treasurer.embedded.directory import lock_folder\n"
        "with lock_folder(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Conflict), lock_folder(tmp_path):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with lock_folder(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_lock_is_not_inherited_by_children(tmp_path: Path) -> None:
    with lock_folder(tmp_path):
        sleeper = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with lock_folder(tmp_path):
            pass
    finally:
        sleeper.kill()
        sleeper.wait()


def test_sockets_lie_inside_a_short_folder(tmp_path: Path) -> None:
    root = Path("/tmp") / f"t{os.getpid()}"
    try:
        folder = open_data_folder(root)
        sockets = folder.socket_folder("valkey")
        assert sockets == root / "sockets" / "valkey"
        assert mode(sockets) == 0o700
    finally:
        for made in (root / "sockets" / "valkey", root / "sockets", root):
            made.rmdir()


def test_sockets_of_a_deep_folder_get_a_short_place_that_stays_the_same(tmp_path: Path) -> None:
    folder = open_data_folder(tmp_path / ("d" * 100))
    first = folder.socket_folder("postgres")
    try:
        assert len(str(first / LONGEST_SOCKET_NAME)) <= LONGEST_SOCKET_PATH
        assert folder.socket_folder("postgres") == first
        assert folder.socket_folder("valkey") != first
        assert mode(first) == 0o700
    finally:
        first.rmdir()
        folder.socket_folder("valkey").rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give folders away")
def test_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = open_data_folder(tmp_path)
    folder.part("postgres", ServiceUser(12345, 12345))
    with pytest.raises(NotPermitted) as caught:
        folder.part("postgres")
    assert caught.value.code == "DATA_FOLDER_OWNER"


def test_link_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "chain").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotPermitted) as caught:
        open_data_folder(tmp_path).part("chain")
    assert caught.value.code == "DATA_FOLDER_OWNER"
