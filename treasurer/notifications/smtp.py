"""Owns sending by SMTP. Must never send a mail twice where it cannot know that the first was lost.

The line runs before the message's content: until then nothing was sent, and trying again is free.
After it, silence means unknown. Passwords travel over TLS only, or to this machine itself.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from aiosmtplib import SMTP, SMTPException, SMTPRecipientRefused, SMTPResponseException
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from treasurer.kernel.errors import InvalidInput, OutcomeUnknown, Permanent, Transient

_UNREACHABLE = "MAIL_SERVER_UNREACHABLE"
_TRIES = 3
_OPENING_TIMEOUT_S = 20
_CONTENT_TIMEOUT_S = 60
_GOODBYE_TIMEOUT_S = 5
LONGEST_SEND_S = (_OPENING_TIMEOUT_S + 1) * _TRIES + _CONTENT_TIMEOUT_S + _GOODBYE_TIMEOUT_S
"""No call of `send` lasts longer, waits between the tries included."""


class Tls(StrEnum):
    IMPLICIT = "implicit"
    REQUIRED = "required"
    OFFERED = "offered"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where the mail server is and how to sign in. `password` is a secret: it is never shown."""

    host: str
    port: int
    tls: Tls
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, tls={self.tls})"


_SCHEMES = {
    "smtps": (Tls.IMPLICIT, 465),
    "smtp+starttls": (Tls.REQUIRED, 587),
    "smtp": (Tls.OFFERED, 25),
}


def parse_smtp_url(url: str) -> SmtpServer:
    """Read `smtps://user:password@host:465`, `smtp+starttls://…:587` or `smtp://…:25`.

    `smtp` takes TLS where the server offers it. Raises InvalidInput; the message repeats no secret.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise InvalidInput("SMTP_URL", "write SMTP_URL as smtps://user:password@mail.example:465")
    tls, port = _SCHEMES[parts.scheme]
    try:
        port = parts.port or port
    except ValueError:
        raise InvalidInput("SMTP_URL", "the port in SMTP_URL is a number up to 65535") from None
    if parts.username and tls is Tls.OFFERED and not _is_loopback(parts.hostname):
        raise InvalidInput(
            "SMTP_URL_PLAIN_PASSWORD",
            "smtp:// may send the password in clear; write smtps:// or smtp+starttls://",
        )
    return SmtpServer(
        host=parts.hostname,
        port=port,
        tls=tls,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


class SmtpTransport:
    """One connection a mail: notifications are few, and a kept connection dies unseen."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    @property
    def description(self) -> str:
        return f"mails go to {self._server.host}:{self._server.port}, TLS {self._server.tls}"

    async def send(self, message: EmailMessage) -> None:
        """Hand the mail over; tries again by itself only where nothing was sent. See the port."""
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_TRIES),
            wait=wait_exponential(multiplier=0.25, max=1),
            retry=retry_if_exception(_is_unreachable),
            reraise=True,
        )
        client: SMTP = await retrying(self._opened, message)
        try:
            async with asyncio.timeout(_CONTENT_TIMEOUT_S):
                await client.data(bytes(message))
        except SMTPResponseException as error:
            raise _answered(error) from error
        except (SMTPException, OSError, TimeoutError) as error:
            raise OutcomeUnknown(
                "MAIL_OUTCOME_UNKNOWN", f"no answer after the content was sent: {error}"
            ) from error
        finally:
            await _leave(client)

    async def _opened(self, message: EmailMessage) -> SMTP:
        """Connect, sign in and name the envelope; the mail itself stays here."""
        sender = message["From"].addresses[0]
        client = SMTP(
            hostname=self._server.host,
            port=self._server.port,
            username=self._server.username,
            password=self._server.password,
            use_tls=self._server.tls is Tls.IMPLICIT,
            start_tls={Tls.IMPLICIT: False, Tls.REQUIRED: True, Tls.OFFERED: None}[
                self._server.tls
            ],
            # Looking up this machine's own name may hang for as long as a resolver pleases.
            local_hostname=sender.domain,
            timeout=_CONTENT_TIMEOUT_S,
        )
        try:
            async with asyncio.timeout(_OPENING_TIMEOUT_S):
                await client.connect()
                await client.mail(sender.addr_spec)
                await client.rcpt(message["To"].addresses[0].addr_spec)
        except SMTPRecipientRefused as error:
            client.close()
            raise _answered(error) from error
        except SMTPResponseException as error:
            # The server refuses us, not this mail: our sign-in or sender can be put right.
            client.close()
            raise Transient("MAIL_DEFERRED", _words(error)) from error
        except (SMTPException, OSError, TimeoutError) as error:
            client.close()
            raise Transient(_UNREACHABLE, f"the mail server cannot be reached: {error}") from error
        return client


async def _leave(client: SMTP) -> None:
    """Say goodbye; what the server answers no longer matters."""
    with suppress(SMTPException, OSError, TimeoutError):
        async with asyncio.timeout(_GOODBYE_TIMEOUT_S):
            await client.quit()
    client.close()


def _answered(error: SMTPResponseException) -> Transient | Permanent:
    """RFC 5321 4.2.1: a 5yz answer is final, any other refusal may pass."""
    if 500 <= error.code < 600:
        return Permanent("MAIL_REFUSED", _words(error))
    return Transient("MAIL_DEFERRED", _words(error))


def _words(error: SMTPResponseException) -> str:
    return f"the mail server answered {error.code} {error.message}"


def _is_unreachable(error: BaseException) -> bool:
    """A server that answered asks for patience; only a lost connection is tried again at once."""
    return isinstance(error, Transient) and error.code == _UNREACHABLE


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
