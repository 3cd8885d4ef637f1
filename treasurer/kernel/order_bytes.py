"""Owns the frame of every order's bytes: one byte of kind and version, then canonical JSON.

Must never parse leniently: what does not spell itself again, byte for byte, is no order.
"""

import json
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from treasurer.kernel.digest import Canonical, canonical_json
from treasurer.kernel.errors import InvalidInput


class Order(Protocol):
    """Anything that people approve and the signer checks."""

    def canonical_bytes(self) -> bytes: ...


AnyOrder = TypeVar("AnyOrder", bound=Order)


def order_bytes(kind: int, body: Mapping[str, Canonical]) -> bytes:
    """The canonical bytes of an order. Kinds differ, so one can never be read as another."""
    return bytes([kind]) + canonical_json(body)


def parse_order_bytes(
    data: bytes, kind: int, read: Callable[[Mapping[str, object]], AnyOrder]
) -> AnyOrder:
    """Inverse of `order_bytes`; `read` makes the order of the body.

    Raises InvalidInput `ORDER_VERSION`, `ORDER_SYNTAX`, `ORDER_NOT_CANONICAL`, or what the order's
    own rules raise.
    """
    if not data or data[0] != kind:
        raise InvalidInput(
            "ORDER_VERSION", f"an order of this kind begins with the byte {kind:#04x}"
        )
    try:
        order = read(json.loads(data[1:]))
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise InvalidInput("ORDER_SYNTAX", "the bytes are no order of this kind") from error
    if order.canonical_bytes() != data:
        raise InvalidInput(
            "ORDER_NOT_CANONICAL", "the bytes are not the order's canonical spelling"
        )
    return order
