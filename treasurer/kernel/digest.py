"""Owns canonical bytes and their digest. Must never change a spelling: stored digests depend on it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

Canonical: TypeAlias = "Mapping[str, Canonical] | Sequence[Canonical] | str | int | bool | None"
"""What may be digested. No fractions: 0.1 has no single spelling."""


_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
)


def canonical_json(value: Canonical) -> bytes:
    """JSON with sorted keys, no spaces, ASCII only. Raises TypeError on fractions and other types."""
    _require_canonical(value)
    return _ENCODER.encode(value).encode("ascii")


def digest(data: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(data).digest()


def canonical_digest(value: Canonical) -> bytes:
    """SHA-256 of `canonical_json(value)`."""
    return digest(canonical_json(value))


_LEAVES = frozenset({type(None), bool, int, str})


def _require_canonical(value: object) -> None:
    # The exact types first, and leaves without a call: nearly all that is digested is one of them.
    kind = type(value)
    if kind in _LEAVES:
        return
    if isinstance(value, list | tuple):
        for item in value:
            if type(item) not in _LEAVES:
                _require_canonical(item)
    elif kind is dict or isinstance(value, Mapping):
        for key, item in cast("Mapping[object, object]", value).items():
            if not isinstance(key, str):
                raise TypeError(f"key {key!r} is not a string")
            if type(item) not in _LEAVES:
                _require_canonical(item)
    elif not isinstance(value, int | str):
        raise TypeError(f"{kind.__name__} has no canonical spelling")
