"""Owns what the desk asks of keys, wherever they lie. Must never offer more than a signature."""

from collections.abc import Sequence
from typing import Protocol


class KeyRing(Protocol):
    """Keys by their addresses."""

    @property
    def addresses(self) -> frozenset[str]:
        """Wallets that can be signed for, lower-case."""

    def sign(self, address: str, digest: bytes) -> bytes:
        """65 bytes (r, s, parity) over a 32-byte digest, low s (EIP-2).

        Raises KeyError for an address that is not there, Transient `KEY_UNAVAILABLE` if the key cannot
        be asked now.
        """


class JoinedKeys:
    """Several rings as one; of two that hold an address the first signs."""

    def __init__(self, rings: Sequence[KeyRing]) -> None:
        self._by_address = {address: ring for ring in reversed(rings) for address in ring.addresses}

    @property
    def addresses(self) -> frozenset[str]:
        """All of them."""
        return frozenset(self._by_address)

    def sign(self, address: str, digest: bytes) -> bytes:
        """By the ring that holds the address."""
        return self._by_address[address].sign(address, digest)
