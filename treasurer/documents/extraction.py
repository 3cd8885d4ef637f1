"""Reads documents in child processes that are ended when they pass a limit.

Must never parse a stranger's bytes in this process, nor give a child our environment or descriptors.
"""

import contextlib
import fcntl
import hashlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import treasurer
from treasurer.documents.answers import HEAD_BYTES, READY, reader_failed, unpacked
from treasurer.documents.limits import Limits, check_size
from treasurer.documents.ocr import Tesseract
from treasurer.documents.reading import Finding, Reading, Severity, refusal
from treasurer.kernel.errors import Transient

_START_S = 30
_WITHOUT_TEXT = ("PDF_NO_TEXT_LAYER", "IMAGE_NOT_READ")
_PIPE_BYTES = 1024 * 1024
_ANSWER_BYTES = 64 * 1024 * 1024


class DocumentReaders:
    """A few child processes, started when first needed and reused: a reading costs milliseconds.

    With `ocr`, images and scans are recognised, which costs about a second a page.

    Thread-safe. Use it as a context manager, or call `close`.
    """

    def __init__(self, *, limits: Limits, workers: int, ocr: Tesseract | None = None) -> None:
        self._limits = limits
        self._ocr = ocr
        self._free = threading.BoundedSemaphore(workers)
        self._guard = threading.Lock()
        self._idle: list[_Child] = []
        self._closed = False

    def read_document(
        self, content: bytes, *, filename: str | None = None, media_type: str | None = None
    ) -> Reading:
        """Read `content`; blocks while all workers are busy, then at most the wall time of the limits.

        What is wrong with the document is in the reading; raises Transient READER_UNAVAILABLE only
        when no child can be started.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        unfit = check_size(content, self._limits, sha256)
        if unfit is not None:
            return unfit
        head = {
            "sha256": sha256,
            "filename": filename,
            "media_type": media_type,
            "bytes": len(content),
        }
        reading = self._read(head, content)
        if not any(reading.has(code) for code in _WITHOUT_TEXT):
            return reading
        if self._ocr is None:
            return _with_review(
                reading,
                "OCR_NOT_INSTALLED",
                "no character recognition (Tesseract) is installed; type the fields by hand",
            )
        boxes = self._ocr.recognise(content, pdf=reading.format == "pdf")
        if boxes is None or len(boxes) > self._limits.document_bytes:
            return _with_review(
                reading, "OCR_FAILED", "no characters were recognised; type the fields by hand"
            )
        recognised = self._read({"sha256": sha256, "bytes": len(boxes)}, boxes)
        return replace(recognised, format=f"{reading.format}-scan", media_type=reading.media_type)

    def _read(self, head: dict[str, str | int | None], content: bytes) -> Reading:
        with self._free:
            child = self._take()
            reading = child.read({"filename": None, "media_type": None, **head}, content)
            self._give_back(child)
        return reading

    def close(self) -> None:
        """End all idle children; busy ones end when their document is read."""
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self) -> "_Child":
        """An idle child that still lives, or a new one: a dead one must not cost a document."""
        while True:
            with self._guard:
                child = self._idle.pop() if self._idle else None
            if child is None:
                return _Child(self._limits)
            if child.is_usable:
                return child
            child.stop()

    def _give_back(self, child: "_Child") -> None:
        with self._guard:
            if child.is_usable and not self._closed:
                self._idle.append(child)
                return
        child.stop()


def _with_review(reading: Reading, code: str, message: str) -> Reading:
    finding = Finding(code, message, None, Severity.REVIEW)
    return replace(reading, findings=(*reading.findings, finding))


def read_document(
    content: bytes, *, filename: str | None, media_type: str | None, limits: Limits
) -> Reading:
    """Read one document in a child of its own, for callers that read once. Costs the child's start."""
    with DocumentReaders(limits=limits, workers=1) as readers:
        return readers.read_document(content, filename=filename, media_type=media_type)


class _Child:
    """One child process and its two pipes. Used by one thread at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._documents = 0
        self._broken = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "treasurer.documents.child", json.dumps(asdict(limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            # Nothing of our environment: a parser that is taken over finds no secret in it.
            env={"PYTHONPATH": str(Path(treasurer.__file__).parent.parent), "PYTHONUTF8": "1"},
            start_new_session=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both pipes were asked for")
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        with contextlib.suppress(OSError):
            # A whole document at once: with less room both sides take turns for each 64 KiB of it.
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        if self._receive(1, time.monotonic() + _START_S) != READY:
            self.stop()
            raise Transient(
                "READER_UNAVAILABLE", "no process for reading documents could be started; try again"
            )

    @property
    def is_usable(self) -> bool:
        return (
            not self._broken
            and self._documents < self._limits.documents_a_child
            and self._process.poll() is None
        )

    def read(self, head: dict[str, str | int | None], content: bytes) -> Reading:
        self._documents += 1
        deadline = time.monotonic() + self._limits.wall_s
        packed = json.dumps(head).encode("ascii")
        sent = self._send(len(packed).to_bytes(HEAD_BYTES) + packed + content, deadline)
        length = self._receive(HEAD_BYTES, deadline) if sent else None
        size = int.from_bytes(length) if length else 0
        body = self._receive(size, deadline) if 0 < size <= _ANSWER_BYTES else None
        if body is None:
            return self._ended(str(head["sha256"]), deadline)
        reading = unpacked(body)
        # After these answers the child leaves by itself.
        self._broken = reading.has("READER_FAILED") or reading.has("READING_OUT_OF_MEMORY")
        return reading

    def stop(self) -> None:
        """End the process, kindly first. Safe to call twice."""
        self._broken = True
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ended(self, sha256: str, deadline: float) -> Reading:
        """What to say of a document whose child gave no answer."""
        self._broken = True
        late = False
        try:
            code = self._process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            # Asked of the process, not of the clock: a poll may return just before the deadline, and
            # a child that still runs then would be waited for without end.
            late = True
            self._process.kill()
            code = self._process.wait()
        if late or code == -signal.SIGXCPU:
            return refusal(
                "READING_TIMED_OUT",
                f"reading took longer than {self._limits.wall_s} s; send a smaller or simpler document",
                document_sha256=sha256,
            )
        return reader_failed(sha256)

    def _send(self, data: bytes, deadline: float) -> bool:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._in, view[: 1 << 20]) :]
            except BlockingIOError:
                if not _wait(self._in, select.POLLOUT, deadline):
                    return False
            except BrokenPipeError:
                return False
        return True

    def _receive(self, count: int, deadline: float) -> bytes | None:
        """`count` bytes, or None when the child ends or the deadline passes first."""
        parts = []
        while count:
            if not _wait(self._out, select.POLLIN, deadline):
                return None
            part = os.read(self._out, min(count, 1 << 20))
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def _wait(descriptor: int, event: int, deadline: float) -> bool:
    """Whether the descriptor became ready (or its other end closed) in time."""
    poll = select.poll()
    poll.register(descriptor, event)
    remaining_ms = math.ceil((deadline - time.monotonic()) * 1000)
    return remaining_ms > 0 and bool(poll.poll(remaining_ms))
