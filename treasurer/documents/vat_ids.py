"""Owns the shape of European VAT ids in print. Must never say that one is registered: only VIES knows."""

import re

_COUNTRIES = (
    "AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|GB|XI|NO|CH"
)
_VAT_ID = re.compile(
    rf"(?<![A-Z0-9])(?:{_COUNTRIES})[ .]?[A-Z0-9](?:[ .-]?[A-Z0-9]){{6,12}}(?![A-Z0-9])"
)
_DIGITS = 7


def find_vat_ids(text: str) -> list[str]:
    """What has the shape of a VAT id in `text`, without blanks. An IBAN is longer and is none."""
    found = []
    for match in _VAT_ID.finditer(text):
        number = "".join(character for character in match.group() if character.isalnum())
        if sum(character.isdigit() for character in number) >= _DIGITS and len(number) <= 14:
            found.append(number)
    return found
