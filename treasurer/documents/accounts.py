"""Owns the reading of bank accounts by their check digits. Data only, never a place to pay to."""

import re
from functools import lru_cache

from stdnum import iban as iban_numbers

from treasurer.documents.draft import Draft

_LIKE_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
_MASKED_IBAN = re.compile(
    r"(?<![A-Z0-9])[A-Z]{2}(?:[0-9]{2}|[*•·xX]{2})(?=[ \u00a0A-Z0-9]*[*•·xX]{3})"
    r"(?:[ \u00a0]?[A-Z0-9*•·x]){8,30}"
)
_NAMED_IBAN = re.compile(r"\bIBAN\b\W{0,6}[A-Z]{2}[0-9]{2}(?:[ \u00a0]?[A-Z0-9]){8,30}")
_PRINTED_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}[0-9]{2}(?:[ \u00a0]?[A-Z0-9]){11,30}", re.ASCII)


@lru_cache(maxsize=1024)
def valid_iban(text: str) -> str | None:
    """The IBAN without blanks when country, length and check digits are right (ISO 13616)."""
    compact = "".join(text.split()).upper()
    if not _LIKE_IBAN.fullmatch(compact):
        return None
    # National check digits inside the account number are the bank's own matter.
    return compact if iban_numbers.is_valid(compact, check_country=False) else None


def first_iban(accounts: list[str], draft: Draft) -> str | None:
    """The first valid IBAN of `accounts`; what looks like one and is none is noted."""
    found = None
    for account in accounts:
        valid = valid_iban(account)
        if valid is not None:
            found = found or valid
        elif _LIKE_IBAN.fullmatch("".join(account.split()).upper()):
            draft.note(
                "IBAN_INVALID",
                "a bank account looks like an IBAN, but its length or check digits are wrong",
                "payee_accounts",
            )
    return found


def doubtful_iban(text: str) -> tuple[str, str] | None:
    """Code and message for what is printed as an IBAN and is none: hidden digits, wrong check digits."""
    if _MASKED_IBAN.search(text):
        return (
            "IBAN_MASKED",
            "a bank account is printed with hidden digits; it cannot be compared, ask for all of it",
        )
    if _NAMED_IBAN.search(text) and not find_ibans(text):
        return (
            "IBAN_INVALID",
            "a bank account looks like an IBAN, but its length or check digits are wrong",
        )
    return None


def find_ibans(text: str) -> list[str]:
    """Valid IBANs printed in `text`, without blanks, in order, each once."""
    found: list[str] = []
    for match in _PRINTED_IBAN.finditer(text):
        words = match.group().split()
        # A printed IBAN may run into the next word (its BIC): shorten until it is right.
        for length in range(len(words), 0, -1):
            valid = valid_iban("".join(words[:length]))
            if valid is not None:
                if valid not in found:
                    found.append(valid)
                break
    return found
