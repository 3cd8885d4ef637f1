"""Owns the spelling of addresses on the signer's host. Must never correct one: it refuses."""

import re

from eth_hash.auto import keccak

from treasurer.kernel.errors import InvalidInput

_HEX = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


def typed_address(text: str) -> str:
    """The lower-case form of an address that a person typed.

    Mixed case must carry the right EIP-55 checksum; one case alone has none. Raises InvalidInput.
    """
    if not _HEX.fullmatch(text):
        raise InvalidInput("ADDRESS_SYNTAX", f"{text!r} is not 0x and 40 hexadecimal digits")
    lower = text.lower()
    digits = text[2:]
    if digits != digits.lower() and digits != digits.upper() and text != checksummed(lower):
        raise InvalidInput(
            "ADDRESS_CHECKSUM", f"{text} has a wrong checksum: copy the address once more"
        )
    return lower


def checksummed(address: str) -> str:
    """The EIP-55 spelling of a lower-case address, for people to compare."""
    digits = address[2:]
    hashed = keccak(digits.encode("ascii")).hex()
    return "0x" + "".join(
        character.upper() if int(nibble, 16) >= 8 else character
        for character, nibble in zip(digits, hashed, strict=False)
    )


def public_key_address(public_key: bytes) -> str:
    """The address of an uncompressed secp256k1 public key of 65 bytes."""
    if len(public_key) != 65 or public_key[0] != 4:
        raise ValueError("an uncompressed public key is 0x04 and 64 bytes")
    return "0x" + keccak(public_key[1:])[-20:].hex()
