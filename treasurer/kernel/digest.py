"""Owns canonical bytes and their digest. Must never change a spelling: stored digests depend on it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Canonical: TypeAlias = "Mapping[str, Canonical] | Sequence[Canonical] | str | int | bool | None"
"""What may be digested. No fractions: 0.1 has no single spelling."""


def canonical_json(value: Canonical) -> bytes:
    """JSON with sorted keys, no spaces, ASCII only. Raises TypeError on fractions and other types."""
    _require_canonical(value)
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode("ascii")


def digest(data: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(data).digest()


def canonical_digest(value: Canonical) -> bytes:
    """SHA-256 of `canonical_json(value)`."""
    return digest(canonical_json(value))


def _require_canonical(value: object) -> None:
    match value:
        case None | bool() | int() | str():
            return
        case Mapping():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise TypeError(f"key {key!r} is not a string")
                _require_canonical(item)
        case list() | tuple():
            for item in value:
                _require_canonical(item)
        case _:
            raise TypeError(f"{type(value).__name__} has no canonical spelling")
