"""Owns the comparison of our readers with invoice2data, and with factur-x and drafthorse, in one run.

Must never score a field that the page does not print, nor take fields from a format that a peer is not
made for: invoice2data gets the PDFs, factur-x with drafthorse the hybrid ones.
"""

import contextlib
import io
import logging
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.documents import CORPUS, corpus_cases, pdf, same, ubl_invoice
from treasurer.documents.extraction import DocumentReaders, read_document
from treasurer.documents.limits import Limits

FIELDS = (
    "seller",
    "invoice_number",
    "issue_date",
    "currency",
    "tax_amount",
    "payable_amount",
    "iban",
)
_NAMES = {
    "issuer": "seller",
    "invoice_number": "invoice_number",
    "date": "issue_date",
    "currency": "currency",
    "amount_tax": "tax_amount",
    "amount": "payable_amount",
    "iban": "iban",
}

Read = Callable[[Path], Mapping[str, Any]]


@dataclass(slots=True)
class Score:
    """What one reader did with the documents of one kind."""

    right: int = 0
    milliseconds: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)


def measure() -> dict[str, float]:
    """All documents by all readers that are made for them, one after the other. Needs the corpus."""
    if not corpus_cases():
        return {}
    figures: dict[str, float] = {}
    with DocumentReaders(limits=Limits(), workers=1) as readers:

        def ours(path: Path) -> Mapping[str, Any]:
            return readers.read_document(path.read_bytes(), filename=path.name).fields

        readers.read_document(pdf())  # the child has started, as the peers' templates are loaded
        plain = corpus_cases("pdf-plain", "pdf-hybrid")
        figures |= _compare("PDF", plain, {"ours": ours, "invoice2data": _invoice2data()})
        hybrid = corpus_cases("pdf-hybrid")
        peers: dict[str, Read] = {"ours": ours, "factur-x and drafthorse": _drafthorse}
        figures |= _compare("hybrid PDF", hybrid, peers)
        structured = corpus_cases("ubl-invoice", "cii")
        figures |= _compare("XML", structured, {"ours": ours})
    figures |= _two_cores("PDF", plain)
    figures["PDF: documents/s, ours on two cores over invoice2data on one"] = (
        figures["PDF: documents/s on two cores, warm"]
        * figures["PDF: ms a document, invoice2data"]
        / 1000
    )
    formats = ("ubl-invoice", "ubl-creditnote", "cii", "fatturapa", "edifact")
    figures |= _two_cores("structured", corpus_cases(*formats))
    figures |= _throughput()
    for name in ("200 pages", "10 MB XML"):
        figures[f"peak memory of the child, {name}, MiB"] = _memory(name)
    return figures


def _compare(
    kind: str, rows: list[dict[str, Any]], readers: Mapping[str, Read]
) -> dict[str, float]:
    scores = {name: Score() for name in readers}
    scored = sum(len(_scored(row)) for row in rows)
    # Every document once: invoice2data keeps a file's text, and our reader the labels that it has seen.
    for row in rows:
        path = CORPUS / row["file"]
        for name, read in readers.items():
            start, spent = time.perf_counter(), _processor_s()
            fields = read(path)
            scores[name].milliseconds.append((time.perf_counter() - start) * 1000)
            scores[name].processor_ms.append((_processor_s() - spent) * 1000)
            scores[name].right += sum(
                same(fields.get(key), row["expected"][key]) for key in _scored(row)
            )
    figures = {f"{kind}: documents": float(len(rows)), f"{kind}: fields to be read": float(scored)}
    for name, score in scores.items():
        figures[f"{kind}: fields right, {name}"] = float(score.right)
        figures[f"{kind}: ms a document, {name}"] = statistics.mean(score.milliseconds)
        figures[f"{kind}: processor ms a document, {name}"] = statistics.mean(score.processor_ms)
    ours = scores.pop("ours")
    for name, theirs in scores.items():
        figures[f"{kind}: documents/s, ours over {name}"] = statistics.mean(
            theirs.milliseconds
        ) / statistics.mean(ours.milliseconds)
        figures[f"{kind}: the same by processor time"] = statistics.mean(
            theirs.processor_ms
        ) / statistics.mean(ours.processor_ms)
    return figures


def _processor_s() -> float:
    """Of this process, of the children that ended, and of those that live: other load does not count."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    pids = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text(encoding="ascii")
    living = (Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii") for pid in pids.split())
    nanoseconds = sum(int(line.split()[0]) for line in living)
    return time.process_time() + ended.ru_utime + ended.ru_stime + nanoseconds / 1e9


def _scored(row: dict[str, Any]) -> list[str]:
    shown = row.get("visible_in_pdf_text") or {}
    unsure = row.get("unreliable_expected_fields", ())
    return [
        name
        for name in FIELDS
        if row["expected"].get(name) is not None and shown.get(name, True) and name not in unsure
    ]


def _invoice2data() -> Read:
    from invoice2data import extract_data
    from invoice2data.extract.loader import read_templates

    logging.getLogger("invoice2data").setLevel(logging.CRITICAL)
    logging.disable(logging.ERROR)
    templates = read_templates()

    def read(path: Path) -> Mapping[str, Any]:
        with _silent():
            found = extract_data(str(path), templates=templates) or {}
        fields = {ours: found[theirs] for theirs, ours in _NAMES.items() if theirs in found}
        if "issue_date" in fields:
            fields["issue_date"] = fields["issue_date"].date().isoformat()
        return fields

    return read


def _drafthorse(path: Path) -> Mapping[str, Any]:
    """The embedded XML by factur-x, its fields by drafthorse; what either refuses is nothing read."""
    from drafthorse.models.document import Document
    from facturx import get_xml_from_pdf

    try:
        with _silent():
            _name, xml = get_xml_from_pdf(path.read_bytes(), check_xsd=False)
            document = Document.parse(xml, strict=False)
    except (TypeError, ValueError, LookupError, AttributeError):
        return {}  # a profile or version that it does not know
    settlement = document.trade.settlement
    taxes = settlement.monetary_summation.tax_total_other_currency.children
    accounts = [str(means.payee_account.iban) for means in settlement.payment_means.children]
    return {
        "seller": str(document.trade.agreement.seller.name),
        "invoice_number": str(document.header.id),
        "issue_date": str(document.header.issue_date_time),
        "currency": str(settlement.currency_code),
        "tax_amount": str(taxes[0][0]) if taxes else None,
        # Its `str` of an amount fails; the value itself is what its own model holds.
        "payable_amount": str(settlement.monetary_summation.due_amount._value),
        "iban": next((account for account in accounts if account), None),
    }


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        yield


def _throughput() -> dict[str, float]:
    """Cold: a child for the one document. Warm: one child, the same documents again and again."""
    document = ubl_invoice()
    start = time.perf_counter()
    for _ in range(3):
        read_document(document, filename=None, media_type=None, limits=Limits())
    cold = 3 / (time.perf_counter() - start)
    with DocumentReaders(limits=Limits(documents_a_child=100_000), workers=1) as readers:
        readers.read_document(document)
        warm = 2_000 / _seconds(readers, [document] * 2_000, threads=1)
        paper = 300 / _seconds(readers, [pdf()] * 300, threads=1)
    return {
        "UBL, cold (a child each), documents/s": cold,
        "UBL, warm, one child, documents/s": warm,
        "one-page PDF, warm, one child, documents/s": paper,
    }


def _two_cores(kind: str, rows: list[dict[str, Any]]) -> dict[str, float]:
    """The pool as the worker runs it. Cold: its children start within the time that is measured."""
    documents = [(CORPUS / row["file"]).read_bytes() for row in rows]
    with DocumentReaders(limits=Limits(), workers=2) as readers:
        cold = len(documents) / _seconds(readers, documents, threads=2)
        warm = len(documents) / _seconds(readers, documents, threads=2)
    return {
        f"{kind}: documents/s on two cores, cold": cold,
        f"{kind}: documents/s on two cores, warm": warm,
    }


def _seconds(readers: DocumentReaders, documents: list[bytes], *, threads: int) -> float:
    with ThreadPoolExecutor(max_workers=threads) as pool:
        start = time.perf_counter()
        for _reading in pool.map(readers.read_document, documents):
            pass
        return time.perf_counter() - start


def _memory(name: str) -> float:
    """In a process of its own, whose only child is the one that reads."""
    command = [sys.executable, "-m", "bench.readers", name]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _large(name: str) -> bytes:
    if name == "200 pages":
        return pdf([f"Line {n}: freight, 12.00 USDC" for n in range(45)], pages=200)
    row = ubl_invoice().decode().split("<cac:InvoiceLine>")
    line = f"<cac:InvoiceLine>{row[1].removesuffix('</Invoice>')}"
    return (row[0] + line * ((10 * 1024 * 1024 - 4_000) // len(line)) + "</Invoice>").encode()


if __name__ == "__main__":
    read_document(_large(sys.argv[1]), filename=None, media_type=None, limits=Limits())
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
