"""Owns reading a signed EIP-1559 transaction back: its call, its fees, who signed it. Must never sign.

It is the auditor's own reading, apart from the code that wrote the bytes.
"""

from dataclasses import dataclass

import rlp
from coincurve import PublicKey
from eth_hash.auto import keccak

from treasurer.kernel.transaction import FeeTerms, UnsignedTransaction

_TYPE_2 = 2
_FIELDS = 12


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """`call.sender` is recovered from the signature; `transaction_hash` is keccak256 of the bytes."""

    transaction_hash: bytes
    call: UnsignedTransaction


def read_signed(raw: bytes) -> SignedTransaction:
    """Decode `raw`. Raises ValueError unless it is a type 2 transaction with a valid signature."""
    if not raw or raw[0] != _TYPE_2:
        raise ValueError("no type 2 transaction")
    try:
        fields = rlp.decode(raw[1:])
    except rlp.exceptions.RLPException as error:
        raise ValueError(f"no RLP: {error}") from error
    if not isinstance(fields, list) or len(fields) != _FIELDS or fields[8]:
        raise ValueError("no twelve fields with an empty access list")
    chain_id, nonce, tip, cap, gas = (int.from_bytes(field) for field in fields[:5])
    parity, r, s = (int.from_bytes(field) for field in fields[9:])
    signature = r.to_bytes(32) + s.to_bytes(32) + bytes([parity])
    signed = keccak(raw[:1] + rlp.encode(fields[:9]))
    key = PublicKey.from_signature_and_message(signature, signed, hasher=None)
    call = UnsignedTransaction(
        chain_id=chain_id,
        nonce=nonce,
        sender="0x" + keccak(key.format(compressed=False)[1:])[-20:].hex(),
        to="0x" + fields[5].hex(),
        value_wei=int.from_bytes(fields[6]),
        data=fields[7],
        fees=FeeTerms(gas, cap, tip),
    )
    return SignedTransaction(keccak(raw), call)
