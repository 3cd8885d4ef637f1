"""The private PostgreSQL: who may connect, what outlives which end."""

import os
import signal
import stat
import threading
from pathlib import Path

import psycopg
import pytest

from tests.support.embedded import embedded_postgres, remove_outside, temporary_folder
from treasurer.embedded.postgres import start_postgres
from treasurer.embedded.processes import Children
from treasurer.kernel.errors import Permanent


def note(url: str, text: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("create table if not exists notes (text text)")
        connection.execute("insert into notes values (%s)", (text,))


def notes(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("select text from notes order by text")]


def test_only_the_socket_and_the_password_open_it(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path / "home") as server:
        with psycopg.connect(server.dsn) as connection:
            row = connection.execute(
                "select current_user, rolsuper, current_setting('server_version_num')::int / 10000,"
                " current_setting('listen_addresses'), current_setting('fsync')"
                " from pg_roles where rolname = current_user"
            ).fetchone()
        assert row == ("postgres", True, 18, "", "on")
        assert stat.S_IMODE(server.socket_folder.stat().st_mode) == 0o700
        password_file = tmp_path / "home" / "postgres" / "superuser.password"
        assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
        assert len(server.password) >= 40
        wrong = server.dsn.replace(server.password, "wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)


def test_second_start_finds_the_data(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as first:
        note(first.dsn, "kept")
    assert not first.child.running
    with embedded_postgres(tmp_path) as second:
        assert notes(second.dsn) == ["kept"]
        assert second.dsn == first.dsn


def test_killed_server_recovers_what_was_committed(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as first:
        note(first.dsn, "committed")
        os.kill(first.child.process.pid, signal.SIGKILL)
        first.child.process.wait()
    # Its backends may still hold the shared memory: the start waits for them.
    with embedded_postgres(tmp_path) as second:
        assert notes(second.dsn) == ["committed"]


def test_start_waits_for_an_orphan_that_still_ends(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as folder, Children() as orphans, Children() as children:
        orphan = start_postgres(folder, orphans)
        note(orphan.dsn, "kept")
        end = threading.Timer(0.3, orphan.child.stop)
        end.start()
        server = start_postgres(folder, children)
        end.join()
        assert notes(server.dsn) == ["kept"]
        assert server.child.process.pid != orphan.child.process.pid
    remove_outside(folder, server.socket_folder)


def test_interrupted_first_start_is_begun_anew(tmp_path: Path) -> None:
    half_made = tmp_path / "postgres" / "data.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    with embedded_postgres(tmp_path) as server:
        note(server.dsn, "fresh")
        assert notes(server.dsn) == ["fresh"]
    assert not half_made.exists()


def test_data_of_another_major_version_are_refused_untouched(tmp_path: Path) -> None:
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("15\n")
    with temporary_folder(tmp_path) as folder, Children() as children:
        with pytest.raises(Permanent) as caught:
            start_postgres(folder, children)
        assert children.ended() is None
    assert caught.value.code == "POSTGRES_MAJOR"
    assert "was made by PostgreSQL 15, this is 18" in caught.value.message


@pytest.mark.skipif(os.geteuid() != 0, reason="drops rights only where there are some")
def test_root_lends_it_to_an_account_without_rights(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path / "home") as server:
        status = Path(f"/proc/{server.child.process.pid}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["Uid"].split()[0] != "0"
        assert fields["Groups"].strip() == ""
        assert fields["CapEff"] == "0" * 16
        # The folder above stays closed to that account.
        assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
