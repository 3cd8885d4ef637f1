"""Owns how stored JSON is read back: strictly, so that one value has one spelling.

Must never repair: a duplicate key, a fraction or an unknown field is refused, because a reader that
guesses would replay another decision than the one that was made.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from treasurer.kernel.clock import iso, parse_iso
from treasurer.kernel.digest import Canonical
from treasurer.kernel.errors import InvalidInput

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,99})", re.ASCII)


@dataclass(slots=True)
class Fields:
    """The fields of one JSON object, each taken at most once; `done` refuses what is left over."""

    where: str
    values: dict[str, object]

    def refuse(self, key: str, expected: str) -> NoReturn:
        """Raise InvalidInput that names the field and what belongs there."""
        place = f"{self.where}.{key}" if self.where else key
        raise InvalidInput("POLICY_JSON", f"{place}: {expected}", field=place)

    def text(self, key: str) -> str:
        """A string that must be there."""
        value = self.values.pop(key, None)
        return value if isinstance(value, str) else self.refuse(key, "a string belongs here")

    def optional_text(self, key: str) -> str | None:
        """A string, or None where the field is absent or null."""
        return self.text(key) if self.present(key) else None

    def integer(self, key: str) -> int:
        """A JSON number without fraction: counts, chain ids, decimals."""
        value = self.values.pop(key, None)
        return value if type(value) is int else self.refuse(key, "an integer belongs here")

    def amount(self, key: str) -> int:
        """Base units as a string of ASCII digits, because JavaScript rounds numbers above 2^53."""
        value = self.values.pop(key, None)
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            return int(value)
        return self.refuse(key, 'base units belong here, as a string of digits such as "1000000"')

    def optional_amount(self, key: str) -> int | None:
        """As `amount`, or None where the field is absent or null."""
        return self.amount(key) if self.present(key) else None

    def flag(self, key: str) -> bool:
        """true or false, nothing that merely looks like it."""
        value = self.values.pop(key, None)
        return value if isinstance(value, bool) else self.refuse(key, "true or false belongs here")

    def instant(self, key: str) -> datetime:
        """An RFC 3339 instant with a time zone, turned to UTC."""
        value = self.text(key)
        try:
            return parse_iso(value)
        except ValueError:
            return self.refuse(key, "an RFC 3339 instant belongs here: 2026-11-02T09:00:00Z")

    def optional_instant(self, key: str) -> datetime | None:
        """As `instant`, or None where the field is absent or null."""
        return self.instant(key) if self.present(key) else None

    def section(self, key: str) -> "Fields | None":
        """A nested object, or None where the field is absent or null."""
        if not self.present(key):
            return None
        value = self.values.pop(key)
        return as_fields(value, f"{self.where}.{key}" if self.where else key)

    def items(self, key: str) -> list[object] | None:
        """An array, or None where the field is absent or null."""
        if not self.present(key):
            return None
        value = self.values.pop(key)
        return value if isinstance(value, list) else self.refuse(key, "an array belongs here")

    def rows(self, key: str) -> "list[Fields] | None":
        """An array of objects, or None where the field is absent or null."""
        items = self.items(key)
        if items is None:
            return None
        return [as_fields(item, f"{self.where}.{key}.{i}") for i, item in enumerate(items)]

    def present(self, key: str) -> bool:
        """Whether the field is there and not null."""
        return self.values.get(key) is not None

    def done(self) -> None:
        """Refuse what nobody took; an explicit null counts as absent."""
        for key, value in self.values.items():
            if value is not None:
                self.refuse(key, "this field is not known; remove it")


def as_fields(value: object, where: str) -> Fields:
    """The reader of `value`, which must be a JSON object. Raises InvalidInput."""
    if not isinstance(value, dict):
        raise InvalidInput("POLICY_JSON", f"{where or 'the text'}: an object belongs here")
    return Fields(where, dict(value))


def parse_object(data: bytes | str, where: str = "") -> Fields:
    """Parse JSON without duplicate keys, fractions or NaN. Raises InvalidInput."""
    try:
        value = _DECODER.decode(data if isinstance(data, str) else data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidInput("POLICY_JSON", f"this is no JSON that policy reads: {error}") from error
    return as_fields(value, where)


def without_nulls(values: dict[str, Canonical]) -> dict[str, Canonical]:
    """Drop what is absent, so that a field added later leaves the bytes of older ones as they are."""
    return {key: value for key, value in values.items() if value is not None}


def optional_iso(instant: datetime | None) -> str | None:
    """`iso`, or None."""
    return None if instant is None else iso(instant)


def optional_digits(amount_minor: int | None) -> str | None:
    """Base units as the string that `Fields.amount` reads, or None."""
    return None if amount_minor is None else str(amount_minor)


def _distinct(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return values


def _no_fraction(text: str) -> NoReturn:
    raise ValueError(f"{text} is no integer; write amounts in base units")


# Made once: with hooks, json.loads makes another one a call, which takes as long as the parsing.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_distinct, parse_float=_no_fraction, parse_constant=_no_fraction
)
