"""Owns what a change of a payee's details is, and the call that has to confirm it. Pure.

Must never take the number to call from whoever asks for the change: that is how invoices are diverted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from treasurer.kernel.clock import iso
from treasurer.kernel.errors import Conflict, InvalidInput, NotPermitted
from treasurer.kernel.ids import PayeeId, UserId
from treasurer.payees.model import Payee, PayeeDetails, payee_details

PayeeChangeId = NewType("PayeeChangeId", UUID)

FIELDS = ("name", "vat_id", "iban", "email", "phone")
"""What can be changed. A payee's code stays for ever; addresses have proposals of their own."""

_PHONE = re.compile(r"\+[0-9]{6,15}")
_SHORTEST_NOTE = 10
_LONGEST_NOTE = 1000


class ChangeState(StrEnum):
    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class CallBack:
    """Who was called, when, at which number, and what they said.

    `from_master` says that `number` is the one in the payee master; else the note says where it is from.
    """

    spoke_to: str
    called_at: datetime
    number: str
    from_master: bool
    note: str

    def document(self) -> dict[str, str | bool]:
        return {
            "spoke_to": self.spoke_to,
            "called_at": iso(self.called_at),
            "number": self.number,
            "from_master": self.from_master,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class CallBackNote:
    """A call as somebody reports it, unchecked. `number` is only for payees without a phone."""

    spoke_to: str
    called_at: datetime
    note: str
    number: str = ""

    def checked(self, master_phone: str | None, *, since: datetime, now: datetime) -> CallBack:
        """The call to `master_phone`, which came after `since`. Raises InvalidInput CALL_BACK_*."""
        spoke_to, note = self.spoke_to.strip(), self.note.strip()
        if not 2 <= len(spoke_to) <= 200:
            raise InvalidInput("CALL_BACK_PERSON", "write whom you spoke to")
        if not _SHORTEST_NOTE <= len(note) <= _LONGEST_NOTE:
            raise InvalidInput(
                "CALL_BACK_NOTE",
                f"write in {_SHORTEST_NOTE} to {_LONGEST_NOTE} characters what they confirmed",
            )
        # People write minutes: the one in which it was proposed counts.
        if not since.replace(second=0, microsecond=0) <= self.called_at <= now:
            raise InvalidInput(
                "CALL_BACK_TIME", "the call has to come after the proposal, and be over"
            )
        given = clean_phone(self.number)
        if master_phone is not None and given not in (None, master_phone):
            raise InvalidInput(
                "CALL_BACK_NUMBER", f"call the number in the payee master, {master_phone}"
            )
        number = master_phone or given
        if number is None:
            raise InvalidInput(
                "CALL_BACK_NUMBER",
                "the payee master holds no phone number; write the number that you called, and in "
                "the note where you had it from: contract or register, never the mail that asks",
            )
        return CallBack(spoke_to, self.called_at, number, master_phone is not None, note)


@dataclass(frozen=True, slots=True)
class PayeeChange:
    """A proposal to change details; `details` and `former` hold the changed fields only.

    The former details stand until another person confirms it after a call.
    """

    id: PayeeChangeId
    payee_id: PayeeId
    details: Mapping[str, str | None]
    former: Mapping[str, str | None]
    state: ChangeState
    proposed_by: UserId
    proposed_at: datetime
    decided_by: UserId | None = None
    decided_at: datetime | None = None
    call_back: Mapping[str, str | bool] | None = None
    cooling_off_until: datetime | None = None


def clean_phone(text: str | None) -> str | None:
    """An international number without blanks, +4721001000; None for none. Raises InvalidInput."""
    if text is None or not text.strip():
        return None
    number = re.sub(r"[\s().\-/]", "", text)
    if not _PHONE.fullmatch(number):
        raise InvalidInput("PAYEE_PHONE", "write a phone number with its country: +47 21 00 10 00")
    return number


def changed_fields(payee: Payee, wanted: Mapping[str, str | None]) -> dict[str, str | None]:
    """The fields of `wanted` that differ from the master's, checked and normalised.

    Raises InvalidInput (CHANGE_FIELD, CHANGE_EMPTY, or the field's own code).
    """
    unknown = sorted(set(wanted) - set(FIELDS))
    if unknown:
        raise InvalidInput("CHANGE_FIELD", f"{unknown[0]} is no detail that can be changed")
    details, phone = _merged(payee, wanted)
    after: dict[str, str | None] = {
        "name": details.name,
        "vat_id": details.vat_id,
        "iban": details.iban,
        "email": details.email,
        "phone": phone,
    }
    changed = {name: after[name] for name in FIELDS if after[name] != getattr(payee, name)}
    if not changed:
        raise InvalidInput("CHANGE_EMPTY", "nothing differs from what the payee master holds")
    return changed


def applied(payee: Payee, change: PayeeChange) -> Payee:
    """The payee with the changed details."""
    details, phone = _merged(payee, change.details)
    return replace(
        payee,
        name=details.name,
        vat_id=details.vat_id,
        iban=details.iban,
        email=details.email,
        phone=phone,
    )


def require_confirmable(change: PayeeChange, payee: Payee, person: UserId) -> None:
    """Raise unless `person` may confirm: somebody else, and of the details that stand now."""
    require_open(change)
    if change.proposed_by == person:
        raise NotPermitted(
            "CHANGE_OWN", "whoever proposed a change cannot confirm it; ask another person"
        )
    if any(getattr(payee, name) != value for name, value in change.former.items()):
        raise Conflict(
            "CHANGE_OUTDATED", "the details have changed since this was proposed; propose it anew"
        )


def require_open(change: PayeeChange) -> None:
    """Raise Conflict unless nobody decided yet."""
    if change.state is not ChangeState.PROPOSED:
        raise Conflict("CHANGE_DECIDED", f"this change is {change.state} already")


def _merged(payee: Payee, wanted: Mapping[str, str | None]) -> tuple[PayeeDetails, str | None]:
    def value(name: str) -> str | None:
        found: str | None = wanted[name] if name in wanted else getattr(payee, name)
        return found

    details = payee_details(
        code=payee.code,
        name=value("name") or "",
        vat_id=value("vat_id"),
        iban=value("iban"),
        email=value("email"),
    )
    return details, clean_phone(value("phone"))
