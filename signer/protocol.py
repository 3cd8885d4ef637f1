"""Owns the frames of the socket: four bytes of length, big-endian, then one JSON object.

Must never pass on a value that it did not check: whoever writes to the socket is untrusted.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias

from signer.fields import Fields
from signer.records import AttemptRecord
from treasurer.kernel.audit_head import AuditHead, SignedHead
from treasurer.kernel.batch import MOST_ORDERS
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import OrganizationId
from treasurer.kernel.signing import (
    EndedSlot,
    SignAllowance,
    SignCancel,
    SignPayment,
    SignRequest,
    SignTopUp,
)
from treasurer.kernel.transaction import FeeTerms

MAX_FRAME_BYTES = 4 * 1024 * 1024
MAX_REQUESTS = 256
MAX_SEALS = 1_000
_MAX_SEAL_CHARACTERS = 4_096
_MAX_ORDER_BYTES = 32_768
_MAX_ATTEMPTS = 100
"""Each costs an eighth more than the one before: by then any cap is reached."""
_MAX_ENDED = 20_000
"""A payment is tried again each hour at most until its order expires, and a batch holds 100."""
_MAX_CHAIN_ID = 2**63
_MAX_NONCE = 2**64 - 2
"""EIP-2681."""
_WORD_MAX = 2**256 - 1


@dataclass(frozen=True, slots=True)
class SignFrame:
    requests: tuple[SignRequest, ...]


@dataclass(frozen=True, slots=True)
class SlotFrame:
    """What was signed for slot `nonce` of `wallet`?"""

    chain_id: int
    wallet: str
    nonce: int


@dataclass(frozen=True, slots=True)
class StatusFrame:
    pass


@dataclass(frozen=True, slots=True)
class FreezeFrame:
    reason: str


@dataclass(frozen=True, slots=True)
class UnfreezeFrame:
    pass


@dataclass(frozen=True, slots=True)
class HeadFrame:
    """Which head of the organization's audit chain was signed last?"""

    organization_id: OrganizationId


@dataclass(frozen=True, slots=True)
class SignHeadFrame:
    """Sign `head`; `seals` are what the last seals up to it cover, oldest first."""

    head: AuditHead
    seals: tuple[bytes, ...]


Frame: TypeAlias = (
    SignFrame | SlotFrame | StatusFrame | FreezeFrame | UnfreezeFrame | HeadFrame | SignHeadFrame
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed attempt: bytes for the node, their hash, and the digest of the call without fees."""

    raw: str
    transaction_hash: str
    call_digest: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one request was not signed."""

    code: str
    message: str


Answer: TypeAlias = Signed | Refusal


def parse_frame(content: bytes) -> Frame:
    """Read a request. Raises InvalidInput `FRAME_INVALID` that names the field."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidInput("FRAME_INVALID", "the frame is no JSON object") from None
    fields = Fields(document, code="FRAME_INVALID")
    request = fields.choice("kind", _READERS)(fields)
    fields.close()
    return request


def frame(body: Mapping[str, object]) -> bytes:
    """Length and JSON of an answer."""
    content = json.dumps(body, separators=(",", ":")).encode("utf-8")
    return len(content).to_bytes(4) + content


def answers_frame(answers: Sequence[Answer]) -> bytes:
    """The answer to a sign frame: bytes or code a request, in their order."""
    return frame({"answers": [asdict(answer) for answer in answers]})


def slot_frame(attempts: Sequence[AttemptRecord]) -> bytes:
    """The answer to a slot frame: what the journal holds, oldest first."""
    return frame({"attempts": [asdict(attempt) for attempt in attempts]})


def head_frame(signed: SignedHead | None) -> bytes:
    """The answer to both frames about heads; null if the organization has none yet."""
    return frame(
        {
            "head": signed
            and {
                "sequence": signed.head.sequence,
                "hash": signed.head.hash.hex(),
                "signature": signed.signature.hex(),
            }
        }
    )


def refusal_frame(code: str, message: str) -> bytes:
    """The answer to a frame that was refused as a whole."""
    return frame({"refusal": {"code": code, "message": message}})


def _sign_frame(fields: Fields) -> Frame:
    return SignFrame(
        tuple(_sign_request(entry) for entry in fields.sections("requests", most=MAX_REQUESTS))
    )


def _sign_request(fields: Fields) -> SignRequest:
    request = fields.choice("kind", _SIGN_READERS)(fields)
    fields.close()
    return request


def _payment(fields: Fields) -> SignRequest:
    orders = fields.texts("orders", most=MOST_ORDERS, longest=2 * _MAX_ORDER_BYTES)
    return SignPayment(
        orders=tuple(_hexadecimal("orders", order) for order in orders),
        disperse=fields.address("disperse") if fields.has("disperse") else None,
        sender=fields.address("sender"),
        nonce=_nonce(fields),
        attempt=_attempt(fields),
        fees=_fees(fields.section("fees")),
        ended=(
            tuple(_ended(entry) for entry in fields.sections("ended", most=_MAX_ENDED))
            if fields.has("ended")
            else ()
        ),
    )


def _ended(fields: Fields) -> EndedSlot:
    ended = EndedSlot(
        wallet=fields.address("wallet"),
        nonce=_nonce(fields),
        transaction_hash=(
            fields.octets("transaction_hash", length=32) if fields.has("transaction_hash") else None
        ),
    )
    fields.close()
    return ended


def _cancel(fields: Fields) -> SignRequest:
    return SignCancel(
        chain_id=fields.integer("chain_id", low=1, high=_MAX_CHAIN_ID),
        sender=fields.address("sender"),
        nonce=_nonce(fields),
        attempt=_attempt(fields),
        fees=_fees(fields.section("fees")),
    )


def _allowance(fields: Fields) -> SignRequest:
    return SignAllowance(
        order=_hexadecimal("order", fields.text("order", most=2 * _MAX_ORDER_BYTES)),
        nonce=_nonce(fields),
        attempt=_attempt(fields),
        fees=_fees(fields.section("fees")),
    )


def _top_up(fields: Fields) -> SignRequest:
    return SignTopUp(
        order=_hexadecimal("order", fields.text("order", most=2 * _MAX_ORDER_BYTES)),
        nonce=_nonce(fields),
        attempt=_attempt(fields),
        fees=_fees(fields.section("fees")),
    )


def _nonce(fields: Fields) -> int:
    return fields.integer("nonce", low=0, high=_MAX_NONCE)


def _attempt(fields: Fields) -> int:
    return fields.integer("attempt", low=1, high=_MAX_ATTEMPTS)


def _fees(fields: Fields) -> FeeTerms:
    fees = FeeTerms(
        gas_limit=fields.integer("gas_limit", low=0, high=2**64 - 1),
        max_fee_per_gas_wei=fields.integer("max_fee_per_gas_wei", low=0, high=_WORD_MAX),
        max_priority_fee_per_gas_wei=fields.integer(
            "max_priority_fee_per_gas_wei", low=0, high=_WORD_MAX
        ),
    )
    fields.close()
    return fees


def _hexadecimal(name: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InvalidInput("FRAME_INVALID", f"{name}: must be hexadecimal digits") from None


def _slot_frame(fields: Fields) -> Frame:
    return SlotFrame(
        chain_id=fields.integer("chain_id", low=1, high=_MAX_CHAIN_ID),
        wallet=fields.address("wallet"),
        nonce=_nonce(fields),
    )


def _sign_head_frame(fields: Fields) -> Frame:
    head = AuditHead(
        organization_id=OrganizationId(fields.uuid("organization_id")),
        sequence=fields.integer("sequence", low=1, high=2**63 - 1),
        hash=fields.octets("hash", length=32),
    )
    seals = fields.texts("seals", most=MAX_SEALS, longest=_MAX_SEAL_CHARACTERS)
    return SignHeadFrame(head, tuple(seal.encode("utf-8", "surrogatepass") for seal in seals))


_SIGN_READERS: Mapping[str, Callable[[Fields], SignRequest]] = {
    "payment": _payment,
    "cancel": _cancel,
    "allowance": _allowance,
    "top_up": _top_up,
}
_READERS: Mapping[str, Callable[[Fields], Frame]] = {
    "sign": _sign_frame,
    "slot": _slot_frame,
    "status": lambda _: StatusFrame(),
    "freeze": lambda fields: FreezeFrame(fields.text("reason", most=500)),
    "unfreeze": lambda _: UnfreezeFrame(),
    "head": lambda fields: HeadFrame(OrganizationId(fields.uuid("organization_id"))),
    "sign_head": _sign_head_frame,
}
