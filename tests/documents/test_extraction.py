"""The child process: what it may cost, what happens to documents that cost more, what it can reach."""

import signal
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.documents import SAMPLES, codes, parse, pdf, raw_pdf, text_invoice, ubl_invoice
from treasurer.documents.extraction import DocumentReaders, read_document
from treasurer.documents.limits import Limits
from treasurer.documents.reading import Outcome


def inflating(pattern: bytes, times: int) -> bytes:
    """A content stream of `times` patterns, deflated without holding it."""
    deflate = zlib.compressobj(9)
    parts = [deflate.compress(pattern) for _ in range(times)]
    return b"".join(parts) + deflate.flush()


@pytest.fixture(scope="module")
def readers():
    with DocumentReaders(limits=Limits(), workers=2) as opened:
        yield opened


@pytest.mark.parametrize("content", [ubl_invoice(), pdf(), text_invoice().encode()])
def test_the_child_reads_what_this_process_reads(readers, content):
    reading = readers.read_document(content)
    assert reading == parse(content)
    assert reading.printed == parse(content).printed


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_the_child_reads_each_sample_alike(readers, name):
    content = (SAMPLES / name).read_bytes()
    assert readers.read_document(content, filename=name) == parse(content, filename=name)


@pytest.mark.parametrize("encoding", ["windows-1252", "iso-8859-2", "iso-8859-1", "windows-1250"])
def test_the_child_knows_the_character_sets_of_xml(readers, encoding):
    text = ubl_invoice().decode().replace("Halden Freight", "Häldén Freight")
    content = text.replace('encoding="UTF-8"', f'encoding="{encoding}"').encode(encoding)
    assert readers.read_document(content).fields["seller"] == "Häldén Freight AS"


@pytest.mark.parametrize("level", ["UNOC", "UNOD", "UNOE", "UNOF", "UNOK", "UNOW"])
def test_the_child_knows_the_character_sets_of_edifact(readers, level):
    text = (SAMPLES / "halden-hf-1009.edi").read_text(encoding="ascii").replace("UNOC", level)
    seller = {"UNOE": "Халден", "UNOF": "Χαλδεν"}.get(level, "Häldén")
    codec = {"UNOC": "latin-1", "UNOD": "iso8859-2", "UNOE": "iso8859-5", "UNOF": "iso8859-7",
             "UNOK": "iso8859-9", "UNOW": "utf-8"}[level]  # fmt: skip
    content = text.replace("Halden Freight AS", seller).encode(codec)
    assert readers.read_document(content).fields["seller"] == seller


def test_single_use_function_reads_too():
    reading = read_document(
        ubl_invoice(), filename="a.xml", media_type="application/xml", limits=Limits()
    )
    assert reading == parse(ubl_invoice())


def test_many_threads_get_their_own_answers(readers):
    numbers = [f"HF-{n}" for n in range(60)]
    with ThreadPoolExecutor(max_workers=8) as threads:
        readings = list(
            threads.map(lambda n: readers.read_document(ubl_invoice(number=n)), numbers)
        )
    assert [reading.fields["invoice_number"] for reading in readings] == numbers


def test_over_the_size_limit_nothing_is_started():
    with DocumentReaders(limits=Limits(document_bytes=1_000), workers=1) as small:
        reading = small.read_document(ubl_invoice())
        assert codes(reading) == {"DOCUMENT_TOO_LARGE"}
        assert small._idle == []


def test_ten_megabytes_pass_and_one_byte_more_does_not(readers):
    limit = Limits().document_bytes
    notes = "".join(f"<cbc:Note>{'n' * 100_000}</cbc:Note>" for _ in range(104))
    padded = ubl_invoice(extra=notes)
    padded += b" " * (limit - len(padded))
    assert len(padded) == limit
    assert readers.read_document(padded).outcome is Outcome.ACCEPTED
    assert codes(readers.read_document(padded + b" ")) == {"DOCUMENT_TOO_LARGE"}


@pytest.mark.parametrize(
    ("limits", "end"),
    [
        (Limits(wall_s=1, cpu_s=600), signal.SIGKILL),
        (Limits(wall_s=60, cpu_s=1), signal.SIGXCPU),
    ],
    ids=["wall", "cpu"],
)
def test_what_takes_too_long_is_ended_and_the_next_document_is_read(limits, end):
    bomb = raw_pdf(inflating(b"BT /F1 10 Tf 50 700 Td (INVOICE X-1) Tj ET\n" * 2_000, 300))
    assert len(bomb) < 200_000
    with DocumentReaders(limits=limits, workers=1) as readers:
        readers.read_document(ubl_invoice())
        (child,) = readers._idle
        reading = readers.read_document(bomb)
        assert reading.outcome is Outcome.REJECTED
        assert codes(reading) == {"READING_TIMED_OUT"}
        assert child._process.returncode == -end
        assert readers.read_document(ubl_invoice()).outcome is Outcome.ACCEPTED


def test_memory_is_bounded():
    bomb = raw_pdf(inflating(b" " * 1_000_000, 500))
    with DocumentReaders(limits=Limits(memory_bytes=300_000_000), workers=1) as readers:
        reading = readers.read_document(bomb)
        assert reading.outcome is Outcome.REJECTED
        assert codes(reading) <= {"READER_FAILED", "READING_OUT_OF_MEMORY"}
        assert readers.read_document(ubl_invoice()).outcome is Outcome.ACCEPTED


def test_a_wide_xml_stays_within_memory(readers):
    start = ubl_invoice().index(b"<cac:InvoiceLine>")
    content = ubl_invoice()[:start] + b'<a b="wide"/>' * 780_000 + b"</Invoice>"
    assert 10_000_000 < len(content) <= Limits().document_bytes
    reading = readers.read_document(content)
    assert reading.fields["payable_amount"] == "512.00"


def test_a_child_that_died_idle_costs_no_document():
    with DocumentReaders(limits=Limits(), workers=1) as readers:
        assert readers.read_document(ubl_invoice()).outcome is Outcome.ACCEPTED
        (child,) = readers._idle
        child._process.kill()
        child._process.wait()
        reading = child.read(
            {"sha256": "0" * 64, "bytes": 1, "filename": None, "media_type": None}, b"x"
        )
        # Handed to the dead child itself, a document fails; the pool hands it to a living one.
        assert codes(reading) == {"READER_FAILED"}
        assert readers.read_document(ubl_invoice()).outcome is Outcome.ACCEPTED


def test_the_child_holds_no_secret_and_can_open_nothing(monkeypatch):
    monkeypatch.setenv("TREASURER_TEST_SECRET", "hunter2")
    with DocumentReaders(limits=Limits(), workers=1) as readers:
        readers.read_document(ubl_invoice())
        (child,) = readers._idle
        process = Path(f"/proc/{child._process.pid}")
        assert b"hunter2" not in (process / "environ").read_bytes()
        table = (process / "limits").read_text(encoding="ascii").splitlines()
        limits = {line[:26].strip(): line[26:].split()[:2] for line in table}
        assert limits["Max open files"] == ["0", "0"]
        assert limits["Max file size"] == ["0", "0"]
        assert limits["Max address space"] == [str(Limits().memory_bytes)] * 2
        # Only the three standard streams came with it, and none can be added.
        assert sorted(entry.name for entry in (process / "fd").iterdir()) == ["0", "1", "2"]


def test_children_are_recycled():
    seen = set()
    with DocumentReaders(limits=Limits(documents_a_child=3), workers=1) as readers:
        for _ in range(6):
            readers.read_document(ubl_invoice())
            seen |= {child._process.pid for child in readers._idle}
    assert len(seen) == 2


def test_closing_ends_every_child():
    readers = DocumentReaders(limits=Limits(), workers=2)
    both = threading.Barrier(2)

    def read(_index: int) -> Outcome:
        both.wait()
        return readers.read_document(pdf(pages=30)).outcome

    with ThreadPoolExecutor(max_workers=2) as threads:
        assert set(threads.map(read, range(2))) == {Outcome.ACCEPTED}
    processes = [child._process for child in readers._idle]
    readers.close()
    assert [process.poll() is not None for process in processes] == [True] * len(processes)
    assert processes
