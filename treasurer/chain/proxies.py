"""Owns where a contract names the code that it really runs. Must never follow a chain of proxies.

A proxy's own code stays the same while what it runs is replaced, so its code hash alone pins nothing.
A minimal proxy (EIP-1167) has the address in its code, which the code hash covers.
"""

import asyncio
from dataclasses import dataclass

from eth_hash.auto import keccak

from treasurer.chain.port import Chain

IMPLEMENTATION_SLOTS = (
    # EIP-1967: keccak256("eip1967.proxy.implementation") - 1.
    bytes.fromhex("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"),
    # EIP-1822: keccak256("PROXIABLE").
    bytes.fromhex("c5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7"),
    # keccak256("org.zeppelinos.proxy.implementation"): older than both standards.
    bytes.fromhex("7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3"),
)
BEACON_SLOT = bytes.fromhex("a3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50")
"""EIP-1967: keccak256("eip1967.proxy.beacon") - 1; a beacon names the implementation of many proxies."""
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
