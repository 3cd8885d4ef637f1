"""Owns the caller's side of the signer's socket. Must never hold a key or judge a refusal.

A lost answer is harmless: the same request gets the same recorded bytes. So one broken connection is
replaced and the frame sent again; after that the caller retries when it likes.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treasurer.kernel.audit_head import AuditHead, SignedHead
from treasurer.kernel.errors import InvalidInput, NotPermitted, Transient
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

_MAX_FRAME_BYTES = 4 * 1024 * 1024
_MAX_REQUESTS = 256
_OTHER_FIELDS_BYTES = 4_096
"""More than all but the lists of a batch takes in a frame."""
_ENDED_BYTES = 192


@dataclass(frozen=True, slots=True)
class SignedAttempt:
    """Bytes for the node, their keccak256, and the digest of the call without fees."""

    raw: bytes
    transaction_hash: bytes
    call_digest: bytes


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """What the journal holds of a slot. `kind` is payment, cancel, allowance or top_up."""

    number: int
    kind: str
    order_digests: tuple[bytes, ...]
    fees: FeeTerms
    signed: SignedAttempt


@dataclass(frozen=True, slots=True)
class SignerRefusal:
    """The signer's stable code and a sentence that says what to do."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class WalletStatus:
    """`next_nonce` is None if the journal does not know the wallet; `nonce_check` is current,
    pending, behind or not_configured."""

    chain_id: int
    wallet: str
    next_nonce: int | None
    nonce_check: str


@dataclass(frozen=True, slots=True)
class SignerStatus:
    """`frozen_reason` is None while the signer signs. `frozen_by` is caller or host.

    Not `isolated` means that this caller runs as the signer's user and could read the keys: then only
    the development chain is signed. `head_public_key` (Ed25519, 32 bytes) verifies audit heads.
    """

    isolated: bool
    frozen_by: str | None
    frozen_since: str | None
    frozen_reason: str | None
    wallets: tuple[WalletStatus, ...]
    head_public_key: bytes


class SignerClient:
    """One connection, opened when first needed and again when it broke. Close it when done."""

    def __init__(self, socket_path: Path, *, timeout_s: float = 10.0) -> None:
        self._socket_path = socket_path
        self._timeout_s = timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        # Answers carry no id, so one frame is on its way at a time.
        self._turn = asyncio.Lock()

    async def sign(self, requests: Sequence[SignRequest]) -> list[SignedAttempt | SignerRefusal]:
        """Answers in the order of `requests`; one round trip and one fsync for a full frame of them.

        Raises Transient `SIGNER_UNAVAILABLE`; asking again for the same is always safe.
        """
        answers: list[SignedAttempt | SignerRefusal] = []
        for batch in _frames([_fields(request) for request in requests]):
            reply = await self._ask({"kind": "sign", "requests": batch})
            entries = [_answer(entry) for entry in reply["answers"]]
            if len(entries) != len(batch):
                raise Transient("SIGNER_BAD_ANSWER", "the signer left requests unanswered; retry")
            answers += entries
        return answers

    async def slot(self, chain_id: int, wallet: str, nonce: int) -> list[RecordedAttempt]:
        """Every attempt that was signed for a slot, oldest first: what a crash may have lost."""
        reply = await self._ask(
            {"kind": "slot", "chain_id": chain_id, "wallet": wallet, "nonce": nonce}
        )
        return [_recorded(entry) for entry in reply["attempts"]]

    async def status(self) -> SignerStatus:
        """What the signer would do now. Raises Transient `SIGNER_UNAVAILABLE`."""
        return _status(await self._ask({"kind": "status"}))

    async def freeze(self, reason: str) -> SignerStatus:
        """Sign no new payment until `unfreeze`; survives a restart of the signer."""
        return _status(await self._ask({"kind": "freeze", "reason": reason}))

    async def unfreeze(self) -> SignerStatus:
        """Lift a caller's freeze. Raises NotPermitted if the signer's host froze it."""
        return _status(await self._ask({"kind": "unfreeze"}))

    async def head_public_key(self) -> bytes:
        """The Ed25519 key that signs audit heads, 32 bytes."""
        return (await self.status()).head_public_key

    async def head(self, organization_id: OrganizationId) -> SignedHead | None:
        """The organization's audit head that was signed last; None before the first."""
        reply = await self._ask({"kind": "head", "organization_id": str(organization_id)})
        return reply["head"] and _signed_head(organization_id, reply["head"])

    async def sign_head(self, head: AuditHead, seals: Sequence[bytes]) -> SignedHead:
        """Sign `head`, shown by what the seals up to it cover, at most 1,000 since the last signed.

        Raises NotPermitted `HEAD_BEHIND` or `HEAD_FORKED`, Transient `SIGNER_UNAVAILABLE`.
        """
        reply = await self._ask(
            {
                "kind": "sign_head",
                "organization_id": str(head.organization_id),
                "sequence": head.sequence,
                "hash": head.hash.hex(),
                "seals": [seal.decode("ascii") for seal in seals],
            }
        )
        return _signed_head(head.organization_id, reply["head"])

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        content = json.dumps(request, separators=(",", ":")).encode("ascii")
        async with self._turn:
            had_connection = self._streams is not None
            try:
                reply = await self._exchange(content)
            except ConnectionError as error:
                if not had_connection:
                    raise _unavailable(error) from error
                try:
                    # The signer was restarted since the last frame, most likely.
                    reply = await self._exchange(content)
                except ConnectionError as again:
                    raise _unavailable(again) from again
        refusal = reply.get("refusal")
        if refusal is None:
            return reply
        if refusal["code"] in {"FRAME_INVALID", "FRAME_TOO_LARGE"}:
            raise InvalidInput(refusal["code"], refusal["message"])
        raise NotPermitted(refusal["code"], refusal["message"])

    async def _exchange(self, content: bytes) -> dict[str, Any]:
        """One frame each way. Any failure closes the connection and raises ConnectionError."""
        try:
            async with asyncio.timeout(self._timeout_s):
                if self._streams is None:
                    self._streams = await asyncio.open_unix_connection(self._socket_path)
                reader, writer = self._streams
                writer.write(len(content).to_bytes(4) + content)
                await writer.drain()
                length = int.from_bytes(await reader.readexactly(4))
                if length > _MAX_FRAME_BYTES:
                    raise ConnectionError("the answer is too long")
                reply = json.loads(await reader.readexactly(length))
        except BaseException as error:
            # Also when cancelled: the answer still to come would be taken for the next request's.
            await self.close()
            if isinstance(error, OSError | EOFError | json.JSONDecodeError):
                raise ConnectionError(f"{type(error).__name__}: {error}") from error
            raise
        if not isinstance(reply, dict):
            await self.close()
            raise ConnectionError("the answer is no object")
        return reply


def _unavailable(error: Exception) -> Transient:
    return Transient("SIGNER_UNAVAILABLE", f"no answer from the signer ({error}); is it running?")


def _frames(entries: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Split into frames that the signer takes: by number, and by size, since batches are long."""
    frames: list[list[dict[str, Any]]] = []
    size = 0
    for entry in entries:
        length = sum(len(order) for order in entry.get("orders", ())) + _OTHER_FIELDS_BYTES
        length += _ENDED_BYTES * len(entry.get("ended", ()))
        if not frames or len(frames[-1]) == _MAX_REQUESTS or size + length > _MAX_FRAME_BYTES:
            frames.append([])
            size = 0
        frames[-1].append(entry)
        size += length
    return frames


def _fields(request: SignRequest) -> dict[str, Any]:
    slot: dict[str, Any] = {
        "nonce": request.nonce,
        "attempt": request.attempt,
        "fees": {
            "gas_limit": request.fees.gas_limit,
            "max_fee_per_gas_wei": request.fees.max_fee_per_gas_wei,
            "max_priority_fee_per_gas_wei": request.fees.max_priority_fee_per_gas_wei,
        },
    }
    match request:
        case SignPayment():
            return {
                "kind": "payment",
                "orders": [order.hex() for order in request.orders],
                "disperse": request.disperse,
                "sender": request.sender,
                **({"ended": [_ended(each) for each in request.ended]} if request.ended else {}),
                **slot,
            }
        case SignCancel():
            return {
                "kind": "cancel",
                "chain_id": request.chain_id,
                "sender": request.sender,
                **slot,
            }
        case SignAllowance():
            return {"kind": "allowance", "order": request.order.hex(), **slot}
        case SignTopUp():
            return {"kind": "top_up", "order": request.order.hex(), **slot}


def _ended(slot: EndedSlot) -> dict[str, Any]:
    return {
        "wallet": slot.wallet,
        "nonce": slot.nonce,
        "transaction_hash": slot.transaction_hash and slot.transaction_hash.hex(),
    }


def _answer(entry: dict[str, str]) -> SignedAttempt | SignerRefusal:
    if "code" in entry:
        return SignerRefusal(entry["code"], entry["message"])
    return SignedAttempt(
        raw=bytes.fromhex(entry["raw"]),
        transaction_hash=bytes.fromhex(entry["transaction_hash"]),
        call_digest=bytes.fromhex(entry["call_digest"]),
    )


def _recorded(entry: dict[str, Any]) -> RecordedAttempt:
    return RecordedAttempt(
        number=entry["attempt"],
        kind=entry["kind"],
        order_digests=tuple(bytes.fromhex(digest) for digest in entry["order_digests"]),
        fees=FeeTerms(
            entry["gas_limit"],
            entry["max_fee_per_gas_wei"],
            entry["max_priority_fee_per_gas_wei"],
        ),
        signed=SignedAttempt(
            raw=bytes.fromhex(entry["raw"]),
            transaction_hash=bytes.fromhex(entry["transaction_hash"]),
            call_digest=bytes.fromhex(entry["call_digest"]),
        ),
    )


def _signed_head(organization_id: OrganizationId, fields: dict[str, Any]) -> SignedHead:
    head = AuditHead(organization_id, fields["sequence"], bytes.fromhex(fields["hash"]))
    return SignedHead(head, bytes.fromhex(fields["signature"]))


def _status(reply: dict[str, Any]) -> SignerStatus:
    status = reply["status"]
    frozen = status["frozen"] or {}
    return SignerStatus(
        isolated=status["isolated"],
        frozen_by=frozen.get("by"),
        frozen_since=frozen.get("since"),
        frozen_reason=frozen.get("reason"),
        wallets=tuple(WalletStatus(**wallet) for wallet in status["wallets"]),
        head_public_key=bytes.fromhex(status["head_public_key"]),
    )
