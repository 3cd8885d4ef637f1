"""Owns the ABI encoding of the four calls that are ever signed. Must never encode any other.

Selectors are the first four bytes of keccak256 of the signature; words are 32 bytes, big-endian.
"""

from collections.abc import Sequence

from treasurer.kernel.order import OrderItem, require_address

TRANSFER_SELECTOR = bytes.fromhex("a9059cbb")
"""`transfer(address,uint256)`, EIP-20."""
APPROVE_SELECTOR = bytes.fromhex("095ea7b3")
"""`approve(address,uint256)`, EIP-20."""
DISPERSE_SELECTOR = bytes.fromhex("716f341a")
"""`disperse(address,bytes32,address[],uint256[])`, `contracts/Disperse.vy`."""


def transfer_calldata(recipient: str, amount_minor: int) -> bytes:
    """`transfer(recipient, amount_minor)`."""
    return TRANSFER_SELECTOR + _address(recipient) + _word(amount_minor)


def approve_calldata(spender: str, amount_minor: int) -> bytes:
    """`approve(spender, amount_minor)`."""
    return APPROVE_SELECTOR + _address(spender) + _word(amount_minor)


def disperse_calldata(token: str, batch_id: bytes, items: Sequence[OrderItem]) -> bytes:
    """`disperse(token, batch_id, recipients, amounts)`, both lists in the order of `items`."""
    if len(batch_id) != 32:
        raise ValueError("a batch id is 32 bytes")
    head_bytes, list_bytes = 4 * 32, 32 * (1 + len(items))
    count = _word(len(items))
    return b"".join(
        (
            DISPERSE_SELECTOR,
            _address(token),
            batch_id,
            _word(head_bytes),
            _word(head_bytes + list_bytes),
            count,
            *(_address(item.recipient) for item in items),
            count,
            *(_word(item.amount_minor) for item in items),
        )
    )


def _address(address: str) -> bytes:
    return bytes.fromhex(require_address(address)[2:]).rjust(32, b"\0")


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")
