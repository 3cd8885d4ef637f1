"""Owns how sets of rows travel: flat lists of ids, texts or bytes as PostgreSQL's binary arrays.

Must never guess: whatever else a list holds is left to the driver's own dumper.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from types import NoneType
from typing import Any
from uuid import UUID

from psycopg.abc import Buffer, DumperKey, PyFormat
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types.array import BaseListDumper, ListBinaryDumper

# Dimensions, whether any is null, the element's type; then the one dimension's length and first index.
_pack_head = Struct("!iiIii").pack
_pack_length = Struct("!i").pack
_NULL = _pack_length(-1)
_LENGTHS = [_pack_length(length) for length in range(256)]


@dataclass(frozen=True, slots=True)
class _Element:
    """A type that sets are made of: PostgreSQL's numbers for it and its array, and its values' bytes."""

    oid: int
    array_oid: int
    encode: Callable[[list[Any]], list[bytes | None]]


def _ids(values: list[UUID | None]) -> list[bytes | None]:
    # Not `bytes`, which is a function of Python's own.
    return [None if each is None else each.int.to_bytes(16, "big") for each in values]


def _texts(values: list[str | None]) -> list[bytes | None]:
    return [None if each is None else each.encode() for each in values]


_ELEMENTS = {
    UUID: _Element(2950, 2951, _ids),
    str: _Element(25, 1009, _texts),
    bytes: _Element(17, 1001, list),
}


class SetDumper(ListBinaryDumper):
    """The driver looks at every list several times and at every element through a dumper of its own,
    which took a quarter of the time that storing a group of documents takes on our side.
    """

    def get_key(self, obj: list[Any], format: PyFormat) -> DumperKey:
        kind = _kind(obj)
        return (SetDumper, kind) if kind else super().get_key(obj, format)

    def upgrade(self, obj: list[Any], format: PyFormat) -> BaseListDumper:
        kind = _kind(obj)
        # The driver names the narrower type; it asks of what it gets no more than a dumper can do.
        return _FlatDumper(kind) if kind else super().upgrade(obj, format)  # type: ignore[return-value]


class _FlatDumper(Dumper):
    format = Format.BINARY

    def __init__(self, kind: type) -> None:
        super().__init__(list)
        self._element = _ELEMENTS[kind]
        self.oid = self._element.array_oid

    def dump(self, obj: list[Any]) -> Buffer:
        values = self._element.encode(obj)
        data = [_pack_head(1, None in values, self._element.oid, len(values), 1)]
        for value in values:
            if value is None:
                data.append(_NULL)
            else:
                length = len(value)
                data += (_LENGTHS[length] if length < 256 else _pack_length(length), value)
        return b"".join(data)


def _kind(values: list[Any]) -> type | None:
    """The one type of all that is not null, if it is one of ours."""
    kinds = set(map(type, values)) - {NoneType}
    kind = kinds.pop() if len(kinds) == 1 else None
    return kind if kind in _ELEMENTS else None
