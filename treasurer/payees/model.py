"""Owns what a payee and its address are, and how an address's state moves. Pure.

Must never verify an address by the word of the person who entered it.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treasurer.documents.accounts import valid_iban
from treasurer.documents.addresses import checksum_holds
from treasurer.kernel.errors import Conflict, InvalidInput, NotPermitted
from treasurer.kernel.ids import PayeeAddressId, PayeeId, UserId

MAX_CHAIN_ID = 2**53 - 1
"""Larger chain ids exist on no network and do not survive JSON."""

_COMPARED_DIGITS = 4

_CODE = re.compile(r"[0-9A-Z][0-9A-Z._-]{0,31}", re.ASCII)
_CATEGORY = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)
_EMAIL = re.compile(r"[^\s@\"<>,;:\\]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z0-9-]{2,63}")
_VAT_ID = re.compile(r"[A-Z0-9+*]{4,20}", re.ASCII)


class PayeeState(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"


class AddressState(StrEnum):
    PENDING = "pending"
    VERIFIED = "verified"
    REVOKED = "revoked"


ADDRESS_TRANSITIONS: dict[AddressState, frozenset[AddressState]] = {
    AddressState.PENDING: frozenset({AddressState.VERIFIED, AddressState.REVOKED}),
    AddressState.VERIFIED: frozenset({AddressState.REVOKED}),
    AddressState.REVOKED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class PayeeAddress:
    """Where a payee is paid on one chain. `address` is lower-case 0x; payable when verified and past
    `cooling_off_until`. `changed_by` entered it and can neither verify nor soon approve with it (I12).
    """

    id: PayeeAddressId
    payee_id: PayeeId
    chain_id: int
    address: str
    state: AddressState
    cooling_off_until: datetime | None
    changed_by: UserId
    verified_by: UserId | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Payee:
    """Whom we pay. `code` is the finance team's own name for it, such as V-001.

    `phone` is where a change of details is called back; nothing is paid before `cooling_off_until`.
    """

    id: PayeeId
    code: str
    name: str
    state: PayeeState
    vat_id: str | None
    iban: str | None
    email: str | None
    created_at: datetime
    created_by: UserId
    addresses: tuple[PayeeAddress, ...] = ()
    category: str | None = None
    phone: str | None = None
    cooling_off_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PayeeDetails:
    """The checked particulars of a payee to be created; make it with `payee_details`."""

    code: str
    name: str
    vat_id: str | None
    iban: str | None
    email: str | None


def require_verifiable(address: PayeeAddress, verifier: UserId) -> None:
    """Raise unless `verifier` may move `address` to verified: a second person, and it is pending."""
    if AddressState.VERIFIED not in ADDRESS_TRANSITIONS[address.state]:
        raise Conflict(
            "ADDRESS_NOT_PENDING",
            f"the address is {address.state}; only a pending one can be verified",
            state=address.state.value,
        )
    if address.changed_by == verifier:
        raise NotPermitted(
            "ADDRESS_OWN_CHANGE",
            "whoever entered an address cannot verify it; ask another person",
        )


def payee_details(
    *, code: str, name: str, vat_id: str | None, iban: str | None, email: str | None
) -> PayeeDetails:
    """Check and normalise particulars. Raises InvalidInput that names the field to change."""
    code = code.strip()
    if not _CODE.fullmatch(code):
        raise InvalidInput(
            "PAYEE_CODE", "a payee code is 1 to 32 capitals, digits, dots and dashes: V-001"
        )
    return PayeeDetails(
        code=code,
        name=clean_name(name),
        vat_id=_vat_id(vat_id),
        iban=_iban(iban),
        email=_email(email),
    )


def clean_category(category: str | None) -> str | None:
    """The category, or None for none. Raises InvalidInput unless policies can name it."""
    if category is not None and (not _CATEGORY.fullmatch(category) or category == "none"):
        raise InvalidInput(
            "PAYEE_CATEGORY", "a category is a word in small letters such as cloud, never none"
        )
    return category


def clean_name(name: str) -> str:
    """The name with single blanks. Raises InvalidInput for control or invisible characters."""
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not 1 <= len(cleaned) <= 200:
        raise InvalidInput("PAYEE_NAME", "a payee's name has 1 to 200 characters")
    # Tabs and line ends inside a name break exports; format characters hide or reorder letters.
    if any(unicodedata.category(character)[0] == "C" for character in name.strip()):
        raise InvalidInput("PAYEE_NAME", "a payee's name holds no control or invisible characters")
    return cleaned


def normal_vat_id(text: str) -> str:
    """Upper case without blanks, dots and dashes, so that spellings compare."""
    return re.sub(r"[\s.\-/]", "", text).upper()


def chain_address(address: str) -> str:
    """The lower-case spelling of an address. Raises InvalidInput unless it is 0x and 40 hex digits,
    and, when written in mixed case, carries the right checksum (EIP-55).
    """
    text = address.strip()
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text, re.ASCII):
        raise InvalidInput("ADDRESS_SYNTAX", "write an address as 0x and 40 hexadecimal digits")
    if not checksum_holds(text):
        raise InvalidInput(
            "ADDRESS_CHECKSUM",
            "the address's capitals are not its checksum (EIP-55); copy it again from its owner",
        )
    return text.lower()


def address_ends(address: str) -> str:
    """The first and last four digits of a lower-case address: what people compare."""
    return address[2 : 2 + _COMPARED_DIGITS] + address[-_COMPARED_DIGITS:]


def require_chain_id(chain_id: int) -> int:
    """Return `chain_id`; raise InvalidInput unless it is a positive EIP-155 number."""
    if not 0 < chain_id <= MAX_CHAIN_ID:
        raise InvalidInput("CHAIN_ID", "a chain id is a positive number, such as 1946")
    return chain_id


def _vat_id(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    normal = normal_vat_id(text)
    if not _VAT_ID.fullmatch(normal):
        raise InvalidInput(
            "PAYEE_VAT_ID", "a VAT id has 4 to 20 letters and digits: NO123456785MVA"
        )
    return normal


def _iban(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    valid = valid_iban(text)
    if valid is None:
        raise InvalidInput("PAYEE_IBAN", "the IBAN's length or check digits are wrong")
    return valid


def _email(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    email = text.strip()
    if not _EMAIL.fullmatch(email):
        raise InvalidInput("PAYEE_EMAIL", "write one e-mail address: accounts@supplier.example")
    return email
