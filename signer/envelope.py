"""Owns the wire form of an EIP-1559 transaction: what is hashed, and what a node accepts.

Must never read a key: a signature comes in as bytes. The encoder is ours because the process must
start within half a second, and the usual library alone takes longer than that to import.
"""

from dataclasses import dataclass

from eth_hash.auto import keccak

from treasurer.kernel.transaction import UnsignedTransaction

_TYPE_2 = b"\x02"
"""EIP-2718 type byte of a fee-market transaction (EIP-1559)."""


@dataclass(frozen=True, slots=True)
class SignedEnvelope:
    """`raw` goes to a node as it stands; `transaction_hash` is keccak256 of it, 32 bytes."""

    raw: bytes
    transaction_hash: bytes


def unsigned_hash(transaction: UnsignedTransaction) -> bytes:
    """The 32 bytes that a signature covers: keccak256(0x02 || rlp(nine fields))."""
    return keccak(_TYPE_2 + _list(_fields(transaction)))


def sealed(transaction: UnsignedTransaction, signature: bytes) -> SignedEnvelope:
    """Join `transaction` with a 65-byte recoverable signature (r, s, parity)."""
    if len(signature) != 65 or signature[64] > 1:
        raise ValueError("a recoverable signature is 65 bytes: r, s, and a parity of 0 or 1")
    words = (signature[64], int.from_bytes(signature[:32]), int.from_bytes(signature[32:64]))
    raw = _TYPE_2 + _list([*_fields(transaction), *(_integer(word) for word in words)])
    return SignedEnvelope(raw, keccak(raw))


def _fields(transaction: UnsignedTransaction) -> list[bytes]:
    fees = transaction.fees
    return [
        _integer(transaction.chain_id),
        _integer(transaction.nonce),
        _integer(fees.max_priority_fee_per_gas_wei),
        _integer(fees.max_fee_per_gas_wei),
        _integer(fees.gas_limit),
        _string(bytes.fromhex(transaction.to[2:])),
        _integer(transaction.value_wei),
        _string(transaction.data),
        _list([]),
    ]


def _integer(value: int) -> bytes:
    # RLP writes integers big-endian without leading zeros; zero is the empty string.
    return _string(value.to_bytes((value.bit_length() + 7) // 8))


def _string(data: bytes) -> bytes:
    if len(data) == 1 and data[0] < 0x80:
        return data
    return _prefix(0x80, len(data)) + data


def _list(items: list[bytes]) -> bytes:
    body = b"".join(items)
    return _prefix(0xC0, len(body)) + body


def _prefix(offset: int, length: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([offset + 55 + len(size)]) + size
