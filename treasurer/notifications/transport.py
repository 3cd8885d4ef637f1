"""Owns the port by which mails leave, and the transport that needs no server: files in a folder.

Must never hide that it only writes files: it says so when it starts and in `description`.
"""

import asyncio
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from uuid import UUID

import structlog

from treasurer.kernel.errors import Transient

_log = structlog.get_logger(__name__)


class MailTransport(Protocol):
    """Hands one mail over, to the one address in its To header."""

    @property
    def description(self) -> str:
        """Where mails go, in plain words, for `treasurer doctor` and the log. No password."""

    async def send(self, message: EmailMessage) -> None:
        """Return once the mail was taken over.

        Raises Transient when it provably was not, OutcomeUnknown when it may have been, Permanent
        when it never will be.
        """


class FileTransport:
    """Writes each mail as `<notification id>.eml`; sending it again replaces the same file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        _log.warning("mails_go_to_files", folder=str(folder), hint="set SMTP_URL to send them")

    @property
    def description(self) -> str:
        return f"no mail server is configured (SMTP_URL): mails are written to {self._folder}"

    async def send(self, message: EmailMessage) -> None:
        """Write the mail and move it to its name, so that no reader sees half of one."""
        name = UUID(str(message["Message-ID"]).strip("<>").partition("@")[0])
        try:
            await asyncio.to_thread(self._write, f"{name}.eml", bytes(message))
        except OSError as error:
            raise Transient("MAIL_FOLDER", f"mails cannot be written: {error}") from error

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = self._folder / f".{name}"
        unfinished.write_bytes(content)
        unfinished.replace(self._folder / name)
