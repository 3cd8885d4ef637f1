"""The journal's file: what survives, what is cut off, and what stops the start."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.journal import Journal
from treasurer.kernel.errors import Conflict, InvariantViolated

PAYLOADS = st.lists(st.binary(max_size=300), min_size=1, max_size=8)


@contextlib.contextmanager
def written(payloads: list[bytes]) -> Iterator[Path]:
    """A closed journal file with these records, each committed by itself."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.bin"
        Journal.create(path)
        with contextlib.closing(Journal.open(path)) as journal:
            for payload in payloads:
                journal.append(payload)
                journal.commit()
        yield path


def replayed(path: Path) -> list[bytes]:
    with contextlib.closing(Journal.open(path)) as journal:
        return [payload for _, payload in journal.replay()]


@given(PAYLOADS)
@settings(max_examples=50, deadline=None)
def test_what_was_committed_is_replayed_in_order(payloads: list[bytes]) -> None:
    with written(payloads) as path:
        assert replayed(path) == payloads


@given(PAYLOADS, st.data())
@settings(max_examples=150, deadline=None)
def test_a_file_cut_anywhere_keeps_exactly_the_whole_records(
    payloads: list[bytes], data: st.DataObject
) -> None:
    with written(payloads) as path:
        ends = [8]
        for payload in payloads:
            ends.append(ends[-1] + 24 + len(payload))
        cut = data.draw(st.integers(8, ends[-1]))
        path.write_bytes(path.read_bytes()[:cut])
        whole = sum(1 for end in ends[1:] if end <= cut)
        assert replayed(path) == payloads[:whole]
        assert path.stat().st_size == ends[whole]


@given(PAYLOADS, st.data())
@settings(max_examples=150, deadline=None)
def test_any_changed_bit_stops_the_start(payloads: list[bytes], data: st.DataObject) -> None:
    with written(payloads) as path:
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        with pytest.raises(InvariantViolated) as refused:
            replayed(path)
        assert refused.value.code == "JOURNAL_CORRUPT"
        assert path.read_bytes() == bytes(content)


def test_a_new_record_goes_where_the_torn_one_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.bin"
    Journal.create(path)
    with contextlib.closing(Journal.open(path)) as journal:
        journal.append(b"first")
        journal.append(b"second, never answered")
        journal.commit()
    path.write_bytes(path.read_bytes()[:-3])
    with contextlib.closing(Journal.open(path)) as journal:
        assert [payload for _, payload in journal.replay()] == [b"first"]
        offset = journal.append(b"third")
        assert journal.read(offset) == b"third"
        journal.commit()
        assert journal.read(offset) == b"third"
    assert replayed(path) == [b"first", b"third"]


def test_staged_records_are_not_in_the_file_before_commit(tmp_path: Path) -> None:
    path = tmp_path / "journal.bin"
    Journal.create(path)
    with contextlib.closing(Journal.open(path)) as journal:
        journal.append(b"staged")
    assert replayed(path) == []


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "journal.bin"
    Journal.create(path)
    with (
        contextlib.closing(Journal.open(path)),
        pytest.raises(Conflict, match="JOURNAL_IN_USE"),
    ):
        Journal.open(path)


def test_a_journal_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "journal.bin"
    Journal.create(path)
    with pytest.raises(FileExistsError):
        Journal.create(path)
