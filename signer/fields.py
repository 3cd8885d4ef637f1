"""Owns the strict reading of untyped objects: limits.yaml and frames. Must never convert or ignore.

By hand, because the process that holds keys should import little, and because a validation library
takes half of the time in which this one has to be ready.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from treasurer.kernel.errors import InvalidInput

T = TypeVar("T")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)
_LOWER_HEX = re.compile(r"[0-9a-f]*", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


class Fields:
    """One object being read; `close` refuses whatever was not asked for.

    Every method raises InvalidInput with `code` and a message that names the field.
    """

    def __init__(self, value: object, *, code: str, place: str = "") -> None:
        self._code = code
        self._place = place
        if not isinstance(value, dict):
            raise self._error("", "must be an object of named fields")
        self._left: dict[object, object] = dict(value)

    def integer(self, name: str, *, low: int, high: int) -> int:
        """An integer in low..high; a boolean is none."""
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._error(name, "must be an integer")
        if not low <= value <= high:
            raise self._error(name, f"must lie in {low}..{high}")
        return value

    def text(self, name: str, *, most: int) -> str:
        """Text of 1 to `most` characters."""
        value = self._take(name)
        if not isinstance(value, str) or not 1 <= len(value) <= most:
            raise self._error(name, f"must be text of 1 to {most} characters")
        return value

    def texts(self, name: str, *, most: int, longest: int) -> tuple[str, ...]:
        """A list of at most `most` texts of 1 to `longest` characters."""
        entries = self._list(name)
        if len(entries) > most:
            raise self._error(name, f"must have at most {most} entries")
        for entry in entries:
            if not isinstance(entry, str) or not 1 <= len(entry) <= longest:
                raise self._error(name, f"must be a list of texts of 1 to {longest} characters")
        return tuple(entries)

    def octets(self, name: str, *, length: int) -> bytes:
        """Exactly `length` bytes in lower-case hexadecimal digits."""
        value = self._take(name)
        if (
            not isinstance(value, str)
            or len(value) != 2 * length
            or not _LOWER_HEX.fullmatch(value)
        ):
            raise self._error(name, f"must be {2 * length} lower-case hexadecimal digits")
        return bytes.fromhex(value)

    def uuid(self, name: str) -> UUID:
        """A UUID in its one canonical spelling."""
        value = self._take(name)
        if isinstance(value, str) and _UUID.fullmatch(value):
            return UUID(value)
        raise self._error(name, "must be a UUID in lower case, with hyphens")

    def address(self, name: str) -> str:
        """A lower-case address."""
        return self._address(name, self._take(name))

    def addresses(self, name: str) -> tuple[str, ...]:
        """A list of lower-case addresses."""
        return tuple(self._address(name, entry) for entry in self._list(name))

    def integers(self, name: str) -> tuple[int, ...]:
        """A list of integers from 0."""
        entries = self._list(name)
        for entry in entries:
            if not isinstance(entry, int) or isinstance(entry, bool) or entry < 0:
                raise self._error(name, "must be a list of integers from 0")
        return tuple(entries)

    def sections(self, name: str, *, most: int) -> tuple["Fields", ...]:
        """A list of at most `most` objects, each to be read and closed."""
        entries = self._list(name)
        if len(entries) > most:
            raise self._error(name, f"must have at most {most} entries")
        return tuple(
            Fields(entry, code=self._code, place=f"{self._path(name)}.{index}")
            for index, entry in enumerate(entries)
        )

    def section(self, name: str) -> "Fields":
        """An object within, to be read and closed."""
        return Fields(self._take(name), code=self._code, place=self._path(name))

    def choice(self, name: str, among: Mapping[str, T]) -> T:
        """What `among` holds for the text in the field."""
        value = self._take(name)
        if not isinstance(value, str) or value not in among:
            raise self._error(name, f"must be one of {', '.join(among)}")
        return among[value]

    def has(self, name: str) -> bool:
        """Whether the field is there and not null; a null is dropped."""
        if self._left.get(name) is None:
            self._left.pop(name, None)
            return False
        return True

    def close(self) -> None:
        """Refuse what was not read: a misspelt limit must not be no limit."""
        if self._left:
            raise self._error(str(next(iter(self._left))), "is not known here")

    def _take(self, name: str) -> object:
        if name not in self._left:
            raise self._error(name, "is missing")
        return self._left.pop(name)

    def _list(self, name: str) -> list[Any]:
        value = self._take(name)
        if not isinstance(value, list):
            raise self._error(name, "must be a list")
        return value

    def _address(self, name: str, value: object) -> str:
        if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
            raise self._error(name, "must be 0x and 40 lower-case hexadecimal digits, in quotes")
        return value

    def _path(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place and name else self._place or name

    def _error(self, name: str, problem: str) -> InvalidInput:
        return InvalidInput(self._code, f"{self._path(name) or 'the whole'}: {problem}")
