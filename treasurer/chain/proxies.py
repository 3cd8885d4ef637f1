"""Owns where a contract names the code that it really runs. Must never follow a chain of proxies.

A proxy's own code stays the same while what it runs is replaced, so its code hash alone pins nothing.
A minimal proxy (EIP-1167) has the address in its code, which the code hash covers.
"""

import asyncio
from dataclasses import dataclass

from eth_hash.auto import keccak

from treasurer.chain.port import Chain


def _before(name: bytes) -> bytes:
    """EIP-1967: one before the hash, so that no key of a mapping can fall upon the slot."""
    return (int.from_bytes(keccak(name)) - 1).to_bytes(32)


IMPLEMENTATION_SLOTS = (
    _before(b"eip1967.proxy.implementation"),
    # EIP-1822.
    keccak(b"PROXIABLE"),
    # Proxies older than both standards, among them the first ones of OpenZeppelin.
    keccak(b"org.zeppelinos.proxy.implementation"),
)
BEACON_SLOT = _before(b"eip1967.proxy.beacon")
"""EIP-1967; a beacon names the implementation for many proxies."""
_NOTHING = bytes(32)


@dataclass(frozen=True, slots=True)
class Implementation:
    """The contract whose code a proxy runs. `code_hash` is keccak256 of its run-time code."""

    address: str
    code_hash: bytes


@dataclass(frozen=True, slots=True)
class Observed:
    """What stands at an address; `implementation` is None for a contract that is no proxy."""

    code_hash: bytes
    implementation: Implementation | None
    has_beacon: bool


async def observe(chain: Chain, address: str) -> Observed | None:
    """The code at `address` and what it runs; None where there is no code. Raises Transient."""
    code, *words = await asyncio.gather(
        chain.code(address),
        *(chain.storage(address, slot) for slot in (*IMPLEMENTATION_SLOTS, BEACON_SLOT)),
    )
    if not code:
        return None
    *named, beacon = words
    implementation = None
    target = next((word for word in named if word != _NOTHING), None)
    if target is not None:
        implementing = "0x" + target[-20:].hex()
        implementation = Implementation(implementing, keccak(await chain.code(implementing)))
    return Observed(keccak(code), implementation, beacon != _NOTHING)
