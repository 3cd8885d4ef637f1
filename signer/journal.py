"""Owns the append-only file of what was signed. Must never rewrite, reorder or skip a record.

It lies outside the database and its backups: a restored database must not make the signer forget.
Layout: eight bytes of magic, then records of a 24-byte header (length, CRC-32 of the length, half
a SHA-256 of the payload) and the payload. The length has a checksum of its own, because a damaged
length would otherwise look like a torn tail and everything behind it would be cut off.
"""

import fcntl
import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from signer.files import sync_directory
from treasurer.kernel.errors import Conflict, InvariantViolated

MAGIC = b"ATSIGNJ1"
_HEADER = struct.Struct(">II16s")
_MAX_PAYLOAD = 1 << 20


class Journal:
    """An open journal, locked against a second signer. `append` is durable only after `commit`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._durable_bytes = os.fstat(descriptor).st_size
        self._staged = bytearray()

    @staticmethod
    def create(path: Path) -> None:
        """Make an empty journal, mode 0600. Raises FileExistsError: a journal is never replaced."""
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.write(descriptor, MAGIC)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(path.parent)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Lock and open the file. Raises Conflict if another process has it, FileNotFoundError."""
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise Conflict(
                "JOURNAL_IN_USE",
                f"another process holds {path}; one signer serves a wallet: stop the other first",
            ) from None
        return cls(path, descriptor)

    def close(self) -> None:
        """Release file and lock. What was not committed is lost, as it was never answered."""
        os.close(self._descriptor)

    def replay(self) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, payload) of every record, oldest first, and cut off an incomplete tail.

        A record that the crash left incomplete was never answered, so it may go. Anything else
        that does not check out raises InvariantViolated `JOURNAL_CORRUPT`: guessing could sign a
        second content for a slot.
        """
        if os.pread(self._descriptor, len(MAGIC), 0) != MAGIC:
            raise self._corrupt(0)
        offset = len(MAGIC)
        while offset < self._durable_bytes:
            payload = self._read(offset)
            if payload is None:
                os.ftruncate(self._descriptor, offset)
                os.fsync(self._descriptor)
                self._durable_bytes = offset
                return
            yield offset, payload
            offset += _HEADER.size + len(payload)

    def append(self, payload: bytes) -> int:
        """Stage a record for the next `commit`; return its offset, by which `read` finds it."""
        if len(payload) > _MAX_PAYLOAD:
            raise ValueError("a journal record is at most one megabyte")
        offset = self._durable_bytes + len(self._staged)
        self._staged += _header(payload) + payload
        return offset

    def commit(self) -> None:
        """Write and fsync everything staged, once. An OSError must end the process.

        After a failed fsync the kernel may have dropped the pages, so trying again proves nothing.
        """
        if not self._staged:
            return
        data = bytes(self._staged)
        written = 0
        while written < len(data):
            written += os.pwrite(self._descriptor, data[written:], self._durable_bytes + written)
        os.fsync(self._descriptor)
        self._durable_bytes += len(data)
        self._staged.clear()

    def read(self, offset: int) -> bytes:
        """The payload at `offset`, staged or durable, with its checksum verified again."""
        if offset >= self._durable_bytes:
            start = offset - self._durable_bytes
            length, _, _ = _HEADER.unpack_from(self._staged, start)
            return bytes(self._staged[start + _HEADER.size : start + _HEADER.size + length])
        payload = self._read(offset)
        if payload is None:
            raise self._corrupt(offset)
        return payload

    def _read(self, offset: int) -> bytes | None:
        """The record at `offset`; None if the file ends within it."""
        header = os.pread(self._descriptor, _HEADER.size, offset)
        if len(header) < _HEADER.size:
            return None
        length, length_crc, checksum = _HEADER.unpack(header)
        if zlib.crc32(header[:4]) != length_crc or length > _MAX_PAYLOAD:
            raise self._corrupt(offset)
        payload = os.pread(self._descriptor, length, offset + _HEADER.size)
        if len(payload) < length:
            return None
        if _checksum(payload) != checksum:
            raise self._corrupt(offset)
        return payload

    def _corrupt(self, offset: int) -> InvariantViolated:
        return InvariantViolated(
            "JOURNAL_CORRUPT",
            f"{self._path} is damaged at byte {offset}; restore the file from the disk's own copy,"
            " or enrol the wallet again with `python -m signer adopt` on a fresh journal",
            offset=offset,
        )


def _header(payload: bytes) -> bytes:
    length = len(payload).to_bytes(4)
    return length + zlib.crc32(length).to_bytes(4) + _checksum(payload)


def _checksum(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()[:16]
