"""MAIL_FROM names the sender; what is no address is refused before a mail waits for it."""

import pytest

from treasurer.kernel.errors import InvalidInput
from treasurer.notifications.sender import sender_of
from treasurer.settings import Settings


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("pay@acme.example", "Autonomous Treasurer", "pay@acme.example"),
        ("Acme Payments <pay@acme.example>", "Acme Payments", "pay@acme.example"),
        ('"Acme, Inc." <pay@acme.example>', "Acme, Inc.", "pay@acme.example"),
        (
            Settings.model_fields["mail_from"].default,
            "Autonomous Treasurer",
            "treasurer@localhost",
        ),
    ],
)
def test_one_address_with_or_without_a_name(text: str, name: str, address: str) -> None:
    sender = sender_of(text)
    assert (sender.display_name, sender.addr_spec) == (name, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme",
        "pay@",
        "Acme, Inc. <pay@acme.example>",
        "a@acme.example, b@acme.example",
        "ü@a.example",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        sender_of(text)
    assert refused.value.code == "MAIL_FROM"
