import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from samples.make_pdf import make
from tests.support.documents import SAMPLES, pdf
from treasurer.cli.read import read


def run(*arguments: str) -> tuple[int, list[dict]]:
    result = CliRunner().invoke(read, [*arguments, "--json"])
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


def test_one_json_object_a_file_in_the_order_given():
    files = sorted(map(str, SAMPLES.iterdir()), reverse=True)
    code, rows = run(*files)
    assert code == 0
    assert [row["file"] for row in rows] == files
    for row in rows:
        assert {"file", "outcome", "findings", "fields", "evidence"} <= row.keys()


@pytest.mark.parametrize(
    ("name", "outcome", "payable", "currency"),
    [
        ("halden-hf-1001.xml", "accepted", "840.00", "USD"),
        ("qorvane-ql-1002.pdf", "accepted", "4150.00", "USDC"),
        ("brightmoor-bm-1003.txt", "accepted", "30000.00", "USDC"),
        ("unknown-seller-tv-1004.txt", "accepted", "186.40", "USDC"),
        ("ambiguous-hf-1005.txt", "review", None, "USDC"),
        ("brightmoor-bm-1006.json", "accepted", "310.50", "USDC"),
        ("halden-hf-1007.cii.xml", "accepted", "700.00", "USD"),
        ("corvale-cs-1008.fatturapa.xml", "accepted", "366.00", "EUR"),
        ("halden-hf-1009.edi", "accepted", "500.00", "EUR"),
        ("halden-hf-1011.creditnote.xml", "accepted", "350.00", "USD"),
    ],
)
def test_samples_read_as_the_demonstration_needs(name, outcome, payable, currency):
    _code, (row,) = run(str(SAMPLES / name))
    assert row["outcome"] == outcome
    assert row["fields"]["payable_amount"] == payable
    assert row["fields"]["currency"] == currency
    assert row["fields"]["purchase_order"] == "PO-7781"
    assert row["fields"]["issue_date"].startswith("2026-11-")


def test_the_sample_batch_holds_three_bills_that_read_as_the_demonstration_needs():
    _code, (row,) = run(str(SAMPLES / "bills-2026-11.csv"))
    assert (row["outcome"], row["findings"]) == ("accepted", [])
    assert [part["location"] for part in row["parts"]] == ["row 2", "row 3", "row 4"]


def test_committed_pdf_is_what_the_script_makes(tmp_path):
    make(tmp_path / "made.pdf")
    made = (tmp_path / "made.pdf").read_bytes()
    assert made == (SAMPLES / "qorvane-ql-1002.pdf").read_bytes()


def test_missing_file_is_reported_and_the_others_are_read(tmp_path):
    good = tmp_path / "good.pdf"
    good.write_bytes(pdf())
    code, rows = run(str(tmp_path / "absent.pdf"), str(good), str(tmp_path))
    assert code == 1
    assert [row["outcome"] for row in rows] == ["rejected", "accepted", "rejected"]
    assert rows[0]["findings"][0]["code"] == "FILE_UNREADABLE"


def test_rejected_documents_are_processed_files(tmp_path):
    bad = tmp_path / "bad.xml"
    bad.write_bytes(b"<!DOCTYPE x><x/>")
    code, (row,) = run(str(bad))
    assert code == 0
    assert row["outcome"] == "rejected"


def test_oversized_file_is_not_read_whole(tmp_path):
    large = tmp_path / "large.txt"
    with large.open("wb") as handle:
        handle.truncate(3_000_000_000)
    code, (row,) = run(str(large))
    assert code == 0
    assert row["findings"][0]["code"] == "DOCUMENT_TOO_LARGE"


def test_table_for_people_cannot_steer_the_terminal(tmp_path):
    hostile = tmp_path / "hostile.txt"
    hostile.write_text("INVOICE X-1\nFrom: \x1b[2JGhost\u202e Ltd\nTotal due: 5.00 EUR\n")
    result = CliRunner().invoke(read, [str(hostile)])
    assert result.exit_code == 0
    assert "review" in result.stdout
    assert "\x1b[2J" not in result.stdout
    assert "\u202e" not in result.stdout


def test_many_files_show_progress_on_stderr_only(tmp_path):
    files = []
    for number in range(12):
        path = tmp_path / f"{number}.txt"
        path.write_text("nothing here")
        files.append(str(path))
    result = CliRunner().invoke(read, [*files, "--json"])
    assert len(result.stdout.splitlines()) == 12
    assert "reading" in result.stderr


def test_importing_the_command_does_not_import_the_readers():
    code = (
        "import sys, treasurer.cli.read; "
        "print([m for m in ('lxml', 'pypdfium2', 'stdnum', 'babel') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
