"""Owns `treasurer read`: documents in, one reading each out. Must never need a database or a server."""

import json
import os
import sys
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from treasurer.documents.extraction import DocumentReaders

_MAX_WORKERS = 4
_PROGRESS_FROM = 10
_MARKS = {"accepted": "green", "review": "yellow", "rejected": "red"}


@click.command("read")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line and a file.")
@click.pass_context
def read(context: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Read invoices and say what stands in them: outcome, findings, fields, evidence.

    The outcome speaks of the reading alone: accepted, review or rejected. Exits 1 when a file could
    not be opened.
    """
    # Imported here, because `treasurer --help` must not pay for the readers.
    from treasurer.documents.extraction import DocumentReaders
    from treasurer.documents.limits import Limits
    from treasurer.documents.ocr import Tesseract

    workers = min(len(files), os.cpu_count() or 1, _MAX_WORKERS)
    unreadable = 0
    with DocumentReaders(limits=Limits(), workers=workers, ocr=Tesseract.find()) as readers:
        rows = _rows(readers, files, workers=workers, document_bytes=Limits().document_bytes)
        for row in _with_progress(rows, len(files)):
            unreadable += any(f["code"] == "FILE_UNREADABLE" for f in row["findings"])
            if as_json:
                click.echo(json.dumps(row))
            else:
                _show(row)
    context.exit(1 if unreadable else 0)


def _rows(
    readers: "DocumentReaders", files: tuple[Path, ...], *, workers: int, document_bytes: int
) -> Iterator[dict[str, Any]]:
    """One row a file, in the order given, read by several children at once."""

    def row(path: Path) -> dict[str, Any]:
        try:
            with path.open("rb") as handle:
                # One byte more than allowed tells that it is too large, without reading it all.
                content = handle.read(document_bytes + 1)
        except OSError as error:
            return _file_unreadable(path, error)
        return {"file": str(path), **readers.read_document(content, filename=path.name).to_json()}

    with ThreadPoolExecutor(max_workers=workers) as threads:
        yield from threads.map(row, files)


def _with_progress(rows: Iterator[dict[str, Any]], length: int) -> Iterator[dict[str, Any]]:
    """Count on stderr when there are many; nothing is drawn where stderr is no terminal."""
    if length < _PROGRESS_FROM:
        yield from rows
        return
    with click.progressbar(rows, length=length, label="reading", file=sys.stderr) as counted:
        yield from counted


def _file_unreadable(path: Path, error: OSError) -> dict[str, Any]:
    return {
        "file": str(path),
        "outcome": "rejected",
        "findings": [
            {
                "code": "FILE_UNREADABLE",
                "severity": "reject",
                "field": None,
                "message": f"the file cannot be opened: {error.strerror}",
            }
        ],
        "fields": {},
        "evidence": {},
    }


def _show(row: dict[str, Any]) -> None:
    fields = row["fields"]
    amount = " ".join(str(fields[k]) for k in ("payable_amount", "currency") if fields.get(k))
    shown = [fields.get("invoice_number"), fields.get("seller"), amount]
    summary = "  ".join(_printable(str(part)) if part else "-" for part in shown)
    mark = click.style(f"{row['outcome']:<9}", fg=_MARKS[row["outcome"]])
    click.echo(f"{mark} {_printable(row['file'])}  {summary}")
    for finding in row["findings"]:
        click.echo(f"          {finding['code']}: {_printable(finding['message'])}")


def _printable(text: str) -> str:
    """Without control and format characters: a document must not steer the terminal."""
    return "".join(
        "\ufffd" if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character
        for character in text
    )
