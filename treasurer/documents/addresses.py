"""Owns the reading of 0x addresses, as data only: no payment ever goes to what is found here."""

import re

from eth_hash.auto import keccak

from treasurer.documents.draft import Draft

_CANDIDATE = re.compile(r"(?<![0-9A-Za-z])0[xX][0-9A-Za-z]{4,}(?:(?:\.{2,}|…)[0-9A-Za-z]+)?")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


def find_addresses(text: str) -> tuple[list[str], list[str]]:
    """Addresses in `text` as printed, and what looks like one but is none (length, alphabet, dots).

    64 digits are a transaction hash, which is neither.
    """
    good: list[str] = []
    bad: list[str] = []
    for match in _CANDIDATE.finditer(text):
        candidate = match.group()
        if _ADDRESS.fullmatch(candidate):
            good.append(candidate)
        elif not _HASH.fullmatch(candidate):
            bad.append(candidate)
    return good, bad


def checksum_holds(address: str) -> bool:
    """EIP-55: true for a right mixed-case spelling, and for one case throughout, which carries none."""
    digits = address[2:]
    if digits in (digits.lower(), digits.upper()):
        return True
    return _checksummed(digits.lower()) == digits


def report_checksum(draft: Draft, address: str) -> None:
    """Review an address that contradicts its own checksum."""
    if not checksum_holds(address):
        draft.review(
            "ADDRESS_CHECKSUM",
            "the address fails its own checksum (EIP-55); one character may be wrong",
            "pay_to_address",
        )


def report_syntax(draft: Draft) -> None:
    """Review what is printed as an address and is none."""
    draft.review(
        "ADDRESS_SYNTAX",
        "something looks like an address, but is not 0x and 40 hexadecimal digits",
        "pay_to_address",
    )


def _checksummed(lower: str) -> str:
    nibbles = keccak(lower.encode("ascii")).hex()
    return "".join(
        character.upper() if nibble >= "8" else character
        for character, nibble in zip(lower, nibbles, strict=False)
    )
