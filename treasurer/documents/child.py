"""The process that opens strangers' documents. Must never reach a file, the network or a secret.

`python -m treasurer.documents.child LIMITS` reads requests from stdin and answers on stdout. After its
start it can open nothing: no file descriptor is left to be had. One request and one answer are each a
4-byte length, a JSON head, and, for a request, the document itself.
"""

import gc
import json
import os
import resource
import sys
from dataclasses import replace
from typing import Any

from treasurer.documents.answers import HEAD_BYTES, READY, packed, reader_failed
from treasurer.documents.limits import Limits
from treasurer.documents.parsing import parse_document
from treasurer.documents.reading import Reading, refusal

_WARM_UP = (
    b"INVOICE W-1\nFrom: Warm Up Ltd\nPay to: 0x70997970C51812dc3A010C7d01b50e0d17dc79C8\n"
    b"Total due: 1.00 EUR\nIBAN: DE89 3704 0044 0532 0130 00\n",
    b'{"seller": "Warm Up Ltd", "iban": "DE89370400440532013000"}',
    b'<?xml version="1.0" encoding="ISO-8859-15"?><Warm>Up</Warm>',
    b"%PDF-1.4 no PDF",
    "Währung".encode("cp1252"),
    b"From: =?utf-8?b?w6k=?= <a@b.example>\nSubject: =?iso-8859-1?q?=E9?=\nMIME-Version: 1.0\n"
    b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain; charset=utf-8\n"
    b"Content-Transfer-Encoding: quoted-printable\n\n=C3=A9\n--x\nContent-Type: application/pdf;"
    b" name*=utf-8''a%20b.pdf\nContent-Transfer-Encoding: base64\n\nQUJD\n--x\n"
    b"Content-Type: message/rfc822\n\nFrom: a@b.example\nSubject: x\n\ny\n--x--\n",
    "\ufeffW\u00e4hrung".encode("utf-16-le"),
    "\ufeffW\u00e4hrung".encode("utf-16-be"),
)


def main() -> None:
    """Serve until stdin ends. Exits after a failure, so that the next document starts clean."""
    limits = Limits(**json.loads(sys.argv[1]))
    # Whatever the readers load late (tables, codecs, fonts) must be there before the door closes.
    for document in _WARM_UP:
        parse_document(document, filename=None, media_type=None, limits=limits)
    # What is there by now stays, and need not be looked through for garbage after each document.
    gc.collect()
    gc.freeze()
    _lock_down(limits)
    os.write(1, READY)
    while (head := _read_exactly(HEAD_BYTES)) is not None:
        request = json.loads(_require(int.from_bytes(head)))
        content = _require(int(request["bytes"]))
        _allow_cpu(limits.cpu_s)
        reading, healthy = _read(content, request, limits)
        _answer(reading)
        if not healthy:
            return


def _read(content: bytes, request: dict[str, Any], limits: Limits) -> tuple[Reading, bool]:
    sha256 = str(request["sha256"])
    try:
        reading = parse_document(
            content,
            filename=request["filename"],
            media_type=request["media_type"],
            limits=limits,
        )
    except (MemoryError, RecursionError):
        return _too_complex(sha256), False
    except Exception:
        # The exception may quote the document, so nothing of it leaves this process.
        return reader_failed(sha256), False
    return replace(reading, document_sha256=sha256), True


def _too_complex(sha256: str) -> Reading:
    return refusal(
        "READING_OUT_OF_MEMORY",
        "the document needs more memory than a reading may have; send a smaller or simpler one",
        document_sha256=sha256,
    )


def _lock_down(limits: Limits) -> None:
    """No new descriptor means no file and no socket; no file size means no writing; no core dumps."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _allow_cpu(seconds: int) -> None:
    """The kernel ends this process when one document takes longer than `seconds` of processor time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, resource.RLIM_INFINITY))


def _answer(reading: Reading) -> None:
    body = packed(reading)
    view = memoryview(len(body).to_bytes(HEAD_BYTES) + body)
    while view:
        view = view[os.write(1, view) :]


def _read_exactly(count: int) -> bytes | None:
    """`count` bytes from stdin, None at its end."""
    parts = []
    while count:
        part = os.read(0, min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _require(count: int) -> bytes:
    data = _read_exactly(count)
    if data is None:
        raise SystemExit(1)
    return data


if __name__ == "__main__":
    main()
