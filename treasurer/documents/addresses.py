"""Owns the reading of 0x addresses, as data only: no payment ever goes to what is found here."""

import re
from collections.abc import Sequence

from eth_hash.auto import keccak

from treasurer.documents.draft import Draft
from treasurer.documents.reading import Evidence

_CANDIDATE = re.compile(r"(?<![0-9A-Za-z])0[xX][0-9A-Za-z]{4,}(?:(?:\.{2,}|…)[0-9A-Za-z]+)?")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_DISGUISED = re.compile(
    r"0[xX][0-9a-fA-F]{40}"
    r"|(?<![0-9A-Za-z])[0OoОоΟο\uff10][xXхХχΧ×\uff58\uff38][0-9a-fA-F]{20,}"
    r"|(?<![0-9A-Za-z])(?=[0-9]*[a-fA-F])(?=[a-fA-F]*[0-9])[0-9a-fA-F]{40}(?![0-9A-Za-z])"
)
"""Letters that pass for `0x`, a word that runs into it, or none of it: a person would still copy it."""
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
    known = [match.span() for match in _CANDIDATE.finditer(text)]
    for match in _DISGUISED.finditer(text):
        if not any(start <= match.start() < end for start, end in known):
            bad.append(match.group())
    return good, bad


def may_hold_address(text: str) -> bool:
    """Whether `find_addresses` is worth asking."""
    return _CANDIDATE.search(text) is not None or _DISGUISED.search(text) is not None


def report_stray(draft: Draft, found: Sequence[tuple[str, Evidence]]) -> None:
    """Compare what free text of an e-invoice names as a wallet, as on a page: notes are read by people.

    `found` are texts with where they stand.
    """
    known = draft.text("pay_to_address")
    wallets: dict[str, tuple[str, Evidence | None]] = {}
    if known is not None:
        wallets[known.lower()] = known, None
    for text, evidence in found:
        good, bad = find_addresses(text)
        if bad:
            report_syntax(draft)
        for address in good:
            report_checksum(draft, address)
            wallets.setdefault(address.lower(), (address, evidence))
    if len(wallets) > 1:
        draft.review(
            "MULTIPLE_ADDRESSES", "several payment addresses are named; ask why", "pay_to_address"
        )
        return
    for address, place in wallets.values():
        if place is not None:
            draft.put("pay_to_address", address, place)


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
