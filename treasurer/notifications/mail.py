"""Owns how a notification becomes a mail: words from templates, headers, no remote content.

Must never let a document's text shape the mail: names and findings arrive as single lines without
control or bidirectional characters, and HTML is escaped.
"""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from policy.requirement import in_words
from treasurer.kernel.errors import Permanent
from treasurer.kernel.money import Asset, format_minor
from treasurer.notifications.model import Content, Notification, NotificationKind

_LONGEST_LINE = 1000


@dataclass(frozen=True, slots=True)
class Words:
    """A rendered mail. The subject is a single line."""

    subject: str
    text: str
    html: str


class MailRenderer:
    """Renders templates strictly: a name that is not there is an error, never an empty space."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("treasurer.notifications"),
            undefined=StrictUndefined,
            autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
            finalize=_shown,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            amount=_amount, instant=_instant, lines=_lines, asked=in_words, hash=_hash
        )

    def render(self, kind: NotificationKind, content: Content, *, link: str) -> Words:
        """The words for `content`. `link` is where the mail leads to; its host is ours."""
        names = {"content": content, "link": link}
        plain = self._environment.get_template(f"{kind}.txt.j2").render(names)
        html = self._environment.get_template(f"{kind}.html.j2").render(names)
        # The text's first line is the subject, so that all words of a mail stand together.
        subject, _, body = plain.partition("\n")
        return Words(subject=subject.strip(), text=body.lstrip("\n"), html=html)


def compose(
    words: Words, notification: Notification, *, sender: Address, now: datetime
) -> EmailMessage:
    """The mail, ready for a transport.

    The Message-ID follows from the notification, so that a mail that had to be sent twice is
    known as one (RFC 5322 3.6.4); Auto-Submitted keeps out-of-office answers away (RFC 3834).
    Raises Permanent when the recipient's address cannot be written.
    """
    # Not every server takes eight bits.
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    try:
        # A bare address has no display name, and so nothing that could pose as another one.
        message["To"] = Address(addr_spec=notification.recipient)
        notification.recipient.encode("ascii")
    except (MessageError, ValueError, IndexError) as error:
        raise Permanent(
            "MAIL_ADDRESS", "the recipient's address is not one that mail can be sent to"
        ) from error
    message["From"] = sender
    message["Subject"] = words.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{notification.id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(words.text)
    message.add_alternative(words.html, subtype="html")
    return message


def single_line(text: str) -> str:
    """`text` on one line: no control, format or bidirectional characters, at most 1,000 long."""
    visible = (
        " " if category in ("Cc", "Zl", "Zp") else "" if category.startswith("C") else character
        for character in text
        for category in (unicodedata.category(character),)
    )
    line = " ".join("".join(visible).split())
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"


def _shown(value: object) -> object:
    return value if isinstance(value, Markup) or not isinstance(value, str) else single_line(value)


def _lines(text: str) -> list[str]:
    return [line for line in map(single_line, text.splitlines()) if line]


def _amount(amount_minor: int, asset: Asset) -> str:
    return format_minor(amount_minor, asset)


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _hash(value: bytes) -> str:
    return f"0x{value.hex()}"
