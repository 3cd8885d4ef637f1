"""Owns whom our mails come from: the address and the name of MAIL_FROM. Must never guess either."""

from email.errors import MessageError
from email.headerregistry import Address
from email.utils import getaddresses

from treasurer.kernel.errors import InvalidInput

_NAME = "Autonomous Treasurer"


def sender_of(text: str) -> Address:
    """Read `treasurer@example.com` or `Name <treasurer@example.com>` (RFC 5322 3.4).

    Raises InvalidInput for anything else, and for more than one.
    """
    found = getaddresses([text])
    try:
        ((name, address),) = found
        address.encode("ascii")
        sender = Address(name or _NAME, addr_spec=address)
    except (MessageError, ValueError, IndexError):
        sender = None
    if sender is None or not sender.username or not sender.domain:
        raise InvalidInput(
            "MAIL_FROM", "write MAIL_FROM as one address: Name <treasurer@example.com>"
        )
    return sender
