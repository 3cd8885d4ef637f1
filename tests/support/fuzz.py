"""Mutates documents and feeds them to the reading children.

`python -m tests.support.fuzz SECONDS [SEED [FIRST]]`. Seed and number make a document: a run that says
`next 5120` goes on with that as FIRST, and a document that was found is made again by its own number.

What may happen to a document is an answer: a reading, or a refusal with a code. What may not happen is
an error in this process, or an answer that comes later than the limits allow.
"""

import json
import random
import sys
import tempfile
import time
from collections import Counter
from email.message import EmailMessage
from itertools import count
from pathlib import Path

from tests.support.documents import (
    CORPUS,
    corpus_cases,
    hybrid_pdf,
    pdf,
    raw_pdf,
    text_invoice,
    ubl_invoice,
)
from treasurer.documents.extraction import DocumentReaders
from treasurer.documents.limits import Limits

_GRACE_S = 5
_SAY_S = 60
_TOKENS = (
    b"\x00", b"\xff\xfe", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"</cbc:ID>", b"<![CDATA[", b"9" * 400,
    b"-", b"1e999", b"NaN", b"\xe2\x80\xae", b"\xf3\xa0\x81\xa1", b"endstream", b"stream\n", b"obj",
    b"/Length 99999999", b"<< ", b">>", b"[[[[[[", b"{\"a\":", b"\r\n\r\n", b"--x", b"Content-Type: ",
    b"multipart/mixed; boundary=x", b"=?utf-8?b?", b"1,2,3,4,5,6,7,8,", b"%PDF-1.7", b"UNA:+.? '",
    b"Total due: ", b" EUR", b"0x" + b"f" * 40, b"DE89 3704 0044 0532 0130 00", b"\t", b"%", b"\xc3",
)  # fmt: skip


def seeds() -> list[bytes]:
    """One sound document a format, and small ones of the corpus where it is here."""
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Halden <a@halden.example>", "Invoice"
    mail.set_content("see attachment")
    mail.add_attachment(ubl_invoice(), maintype="application", subtype="xml", filename="a.xml")
    own = [
        ubl_invoice(),
        text_invoice().encode(),
        pdf(),
        pdf(hidden=(("white", "hidden"),), pages=2),
        hybrid_pdf(("Total due: 512.00 USD",), ubl_invoice()),
        raw_pdf(b"BT /F1 12 Tf 50 700 Td (Total due: 1.00 EUR) Tj ET"),
        json.dumps({"seller": "Halden", "payable_amount": "1.00", "lines": [{"id": "1"}]}).encode(),
        bytes(mail),
        b"10,10,90,10,90,30,10,30,TAX INVOICE\n10,40,90,40,90,60,10,60,TOTAL 5.00\n",
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 40,
        b"vendor,invoice,amount\nHalden,HF-1,5.00\n",
    ]
    files = [CORPUS / row["file"] for row in corpus_cases() if row.get("bytes", 0) < 200_000]
    return own + [path.read_bytes() for path in files[::4]]


def mutation(documents: list[bytes], seed: int, number: int) -> bytes:
    """Document `number` of `seed`: flips, cuts, doublings, splices of two documents, and words of the
    formats put in.
    """
    chance = random.Random(f"{seed}:{number}")
    data = bytearray(chance.choice(documents))
    for _ in range(chance.choice((1, 1, 2, 4, 16, 64))):
        at, size = chance.randrange(len(data) + 1), chance.choice((1, 2, 8, 64, 1024))
        match chance.randrange(7):
            case 0 if data:
                data[at % len(data)] = chance.randrange(256)
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = data[at : at + size] * chance.choice((1, 2, 50))
            case 3:
                data[at:at] = chance.choice(_TOKENS)
            case 4:
                other = chance.choice(documents)
                start = chance.randrange(len(other) + 1)
                data[at : at + size] = other[start : start + size]
            case 5:
                data[at:] = b""
            case _:
                data[at : at + size] = chance.choice(_TOKENS)
    return bytes(data[: 2 * 1024 * 1024])


def fuzz(
    seconds: float, *, seed: int, first: int = 0, limits: Limits | None = None
) -> Counter[str]:
    """Run for that long from document `first`; counts outcomes and the codes of broken readings.

    Raises AssertionError for an answer that came too late; any other error is a crash of this process.
    """
    limits = limits or Limits()
    counts: Counter[str] = Counter()
    documents = seeds()
    start = said = time.monotonic()
    with DocumentReaders(limits=limits, workers=1) as readers:
        for number in count(first):
            asked = time.monotonic()
            if asked - start >= seconds:
                return counts
            if asked - said >= _SAY_S:
                said = asked
                print(f"seed {seed}, next {number}: {dict(counts)}", file=sys.stderr, flush=True)
            document = mutation(documents, seed, number)
            asked = time.monotonic()
            reading = readers.read_document(document)
            took = time.monotonic() - asked
            assert took < limits.wall_s + _GRACE_S, f"seed {seed}, {number}: took {took:.1f} s"
            json.dumps(reading.to_json())
            counts["documents"] += 1
            counts[reading.outcome.value] += 1
            for code in ("READER_FAILED", "READING_TIMED_OUT", "READING_OUT_OF_MEMORY"):
                if reading.has(code):
                    counts[code] += 1
                    _keep(document, code, seed, number)
    raise AssertionError("numbers never end")


def _keep(document: bytes, code: str, seed: int, number: int) -> None:
    """Leave it where it can be made a test."""
    path = Path(tempfile.gettempdir()) / f"fuzz-{code.lower()}-{seed}-{number}.bin"
    path.write_bytes(document)
    print(f"{code}: seed {seed}, {number}, {len(document)} bytes in {path}", file=sys.stderr)


if __name__ == "__main__":
    duration = float(sys.argv[1]) if len(sys.argv) > 1 else 3600
    seed, first = (int(sys.argv[n]) if len(sys.argv) > n else 0 for n in (2, 3))
    found = fuzz(duration, seed=seed, first=first)
    print(f"seed {seed}, next {first + found['documents']}: {dict(found)}")
