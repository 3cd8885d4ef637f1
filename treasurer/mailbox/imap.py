"""Owns reading a mailbox by IMAP (RFC 3501). Must never mark a mail before the caller has kept it.

Mails are fetched with PEEK and told apart by UIDVALIDITY and UID. Passwords travel over TLS only, or to
this machine itself.
"""

import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email import policy
from email.errors import MessageError
from email.parser import BytesHeaderParser
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

from treasurer.kernel.errors import InvalidInput, Transient

_TIMEOUT_S = 20
_UID = re.compile(rb"UID (\d+)")
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")


@dataclass(frozen=True, slots=True)
class ImapServer:
    """Where the mailbox is and how to sign in. `password` is a secret: it is never shown."""

    host: str
    port: int
    tls: bool
    username: str
    password: str
    folder: str

    def __repr__(self) -> str:
        return f"ImapServer({self.name})"

    @property
    def name(self) -> str:
        """What tells this mailbox from others, without its password."""
        return f"{self.username}@{self.host}:{self.port}/{self.folder}"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it arrived. `content` is None where it is larger than was asked for."""

    uid: int
    content: bytes | None

    @property
    def message_id(self) -> str:
        """The sender's own mark, empty where there is none: a claim, not an identity."""
        try:
            headers = BytesHeaderParser(policy=policy.compat32).parsebytes(self.content or b"")
            return str(headers.get("Message-ID") or "").strip()
        except (MessageError, ValueError):
            return ""


def parse_imap_url(url: str) -> ImapServer:
    """Read `imaps://user:password@host:993/INBOX`; `imap://` only to this machine.

    Raises InvalidInput; the message repeats no secret.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("imaps", "imap") or not parts.hostname or not parts.username:
        raise InvalidInput("IMAP_URL", "write IMAP_URL as imaps://user:password@mail.example:993")
    try:
        port = parts.port or (993 if parts.scheme == "imaps" else 143)
    except ValueError:
        raise InvalidInput("IMAP_URL", "the port in IMAP_URL is a number up to 65535") from None
    if parts.scheme == "imap" and not _is_loopback(parts.hostname):
        raise InvalidInput(
            "IMAP_URL_PLAIN_PASSWORD", "imap:// would send the password in clear; write imaps://"
        )
    folder = unquote(parts.path.strip("/")) or "INBOX"
    if any(ord(character) < 32 or character in '"\\' for character in folder):
        raise InvalidInput(
            "IMAP_URL", "the folder in IMAP_URL holds no quotes or control characters"
        )
    return ImapServer(
        host=parts.hostname,
        port=port,
        tls=parts.scheme == "imaps",
        username=unquote(parts.username),
        password=unquote(parts.password or ""),
        folder=folder,
    )


class OpenMailbox:
    """A selected folder. Blocking: use it in a thread."""

    def __init__(self, client: imaplib.IMAP4, uid_validity: int) -> None:
        self._client = client
        self.uid_validity = uid_validity

    def uids_after(self, uid: int) -> list[int]:
        """UIDs above `uid`, lowest first."""
        found = _answer(self._client.uid("SEARCH", f"UID {uid + 1}:*"))
        words = b" ".join(part for part in found if isinstance(part, bytes)).split()
        # `n:*` names the last mail even when its UID is below n.
        return sorted(int(word) for word in words if int(word) > uid)

    def fetch(self, uid: int, most_bytes: int) -> Mail | None:
        """The mail's bytes, unless it is larger than `most_bytes`; None for one that is gone."""
        sizes = _answer(self._client.uid("FETCH", str(uid), "(UID RFC822.SIZE)"))
        size = _SIZE.search(b" ".join(part for part in sizes if isinstance(part, bytes)))
        if size is None:
            return None
        if int(size[1]) > most_bytes:
            return Mail(uid, None)
        for part in _answer(self._client.uid("FETCH", str(uid), "(UID BODY.PEEK[])")):
            if isinstance(part, tuple) and (named := _UID.search(part[0])) and int(named[1]) == uid:
                return Mail(uid, bytes(part[1]))
        return None

    def mark_seen(self, uid: int) -> None:
        """Tell people who look into the mailbox that the mail was taken in."""
        _answer(self._client.uid("STORE", str(uid), "+FLAGS.SILENT", r"(\Seen)"))


@contextmanager
def open_mailbox(server: ImapServer) -> Iterator[OpenMailbox]:
    """Sign in and select the folder. Raises Transient MAILBOX_UNREACHABLE whatever goes wrong there."""
    try:
        client = (
            imaplib.IMAP4_SSL(
                server.host,
                server.port,
                ssl_context=ssl.create_default_context(),
                timeout=_TIMEOUT_S,
            )
            if server.tls
            else imaplib.IMAP4(server.host, server.port, timeout=_TIMEOUT_S)
        )
        try:
            client.login(server.username, server.password)
            _answer(client.select(f'"{server.folder}"'))
            validity = _answer(client.response("UIDVALIDITY"))
            yield OpenMailbox(client, int(validity[0]) if validity and validity[0] else 0)
        finally:
            with suppress(imaplib.IMAP4.error, OSError):
                client.logout()
    except (imaplib.IMAP4.error, OSError) as error:
        raise Transient(
            "MAILBOX_UNREACHABLE", f"the mailbox {server.name} does not serve: {_reason(error)}"
        ) from None


def _answer(answered: tuple[str, list[Any]]) -> list[Any]:
    status, parts = answered
    if status not in ("OK", "UIDVALIDITY"):
        raise imaplib.IMAP4.error(f"the server answers {status}")
    return parts


def _reason(error: Exception) -> str:
    """What the server said; imaplib shows it as bytes."""
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
