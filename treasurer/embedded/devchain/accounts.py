"""Owns the development accounts. Must never be used off the development chain: the keys are public.

The mnemonic and the BIP-44 path are those that every Ethereum development node uses, so that wallets
and tests agree on addresses without configuration. Derived here, because the usual library takes a
second to import, which every start would pay.
"""

import hashlib
import hmac
from dataclasses import dataclass, field

from coincurve import PrivateKey
from eth_hash.auto import keccak

CHAIN_ID = 31337
MNEMONIC = "test test test test test test test test test test test junk"
FUNDED_ACCOUNTS = 10
GENESIS_BALANCE_WEI = 10_000 * 10**18
DEPLOYER_INDEX = 9
DISPERSE_DEPLOYER_INDEX = 8

_HARDENED = 1 << 31
_PATH = (44 | _HARDENED, 60 | _HARDENED, 0 | _HARDENED, 0)


@dataclass(frozen=True, slots=True)
class DevelopmentAccount:
    """An account that everybody can sign for. `address` carries its checksum (EIP-55)."""

    address: str
    key: bytes = field(repr=False)


def development_account(index: int) -> DevelopmentAccount:
    """The account at m/44'/60'/0'/0/`index`; the first `FUNDED_ACCOUNTS` are rich at genesis."""
    seed = hashlib.pbkdf2_hmac("sha512", MNEMONIC.encode("ascii"), b"mnemonic", 2048)
    node = hmac.digest(b"Bitcoin seed", seed, "sha512")
    for number in (*_PATH, index):
        node = _child(node, number)
    point = PrivateKey(node[:32]).public_key.format(compressed=False)
    return DevelopmentAccount(_checksummed(keccak(point[1:])[-20:].hex()), node[:32])


def development_addresses() -> tuple[str, ...]:
    """Checksummed addresses of the funded accounts, in order."""
    return tuple(development_account(index).address for index in range(FUNDED_ACCOUNTS))


def _child(node: bytes, number: int) -> bytes:
    """BIP-32, private parent to private child: 32 bytes of key and 32 of chain code."""
    key = PrivateKey(node[:32])
    parent = b"\0" + node[:32] if number & _HARDENED else key.public_key.format(compressed=True)
    derived = hmac.digest(node[32:], parent + number.to_bytes(4), "sha512")
    return key.add(derived[:32]).secret + derived[32:]


def _checksummed(digits: str) -> str:
    nibbles = keccak(digits.encode("ascii")).hex()
    return "0x" + "".join(
        digit.upper() if int(nibble, 16) >= 8 else digit
        for digit, nibble in zip(digits, nibbles, strict=False)
    )
