"""Owns what the journal's records mean: which content a slot has, and how much was signed when.

Must never answer from memory alone: contents are read back from the file, only places are indexed,
so that a million slots cost places and not transactions.
"""

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

from signer.journal import Journal
from treasurer.kernel.transaction import FeeTerms

WINDOW_S = 24 * 60 * 60
"""Length of the rolling window of the caps."""

WalletKey: TypeAlias = tuple[int, str]
"""Chain id and lower-case address: nonces count per wallet on each chain."""
SlotKey: TypeAlias = tuple[int, str, int]
"""Chain id, wallet and nonce."""
_WALLET = "wallet"
_FIRST_FORMAT = frozenset({"order_digest", "token", "recipient", "amount_minor"})


NATIVE = "native"
"""Stands for the chain's own asset where a token's address would stand."""


class AttemptKind(StrEnum):
    """What an attempt does. The names stand in journals and are never changed."""

    PAYMENT = "payment"
    CANCEL = "cancel"
    ALLOWANCE = "allowance"
    TOP_UP = "top_up"


_SPENDING = frozenset({AttemptKind.PAYMENT, AttemptKind.TOP_UP})
"""An allowance moves nothing by itself: the batch that uses it counts."""


@dataclass(frozen=True, slots=True)
class WalletRecord:
    """The enrolment of a wallet on a chain: no slot below `next_nonce` is ours to sign."""

    chain_id: int
    wallet: str
    next_nonce: int


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One signed attempt. Byte strings are hexadecimal, `amount` is in base units of `asset`.

    `asset` is a token's address, `NATIVE`, or None for a cancel, which moves nothing.
    """

    kind: AttemptKind
    chain_id: int
    wallet: str
    nonce: int
    attempt: int
    signed_at_s: int
    order_digests: tuple[str, ...]
    call_digest: str
    unsigned_hash: str
    asset: str | None
    amount: str
    gas_limit: int
    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int
    transaction_hash: str
    raw: str
    payment_ids: tuple[str, ...] = ()
    """Empty in what older builds wrote: such an order is known by its digest alone."""

    @property
    def slot(self) -> SlotKey:
        return self.chain_id, self.wallet, self.nonce

    @property
    def fees(self) -> FeeTerms:
        return FeeTerms(self.gas_limit, self.max_fee_per_gas_wei, self.max_priority_fee_per_gas_wei)


class SignedRecords:
    """The journal as the signer asks it. Attempts of a slot are numbered 1, 2, 3 without gaps."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._next_nonce: dict[WalletKey, int] = {}
        self._first_nonce: dict[WalletKey, int] = {}
        self._slots: dict[SlotKey, tuple[int, ...]] = {}
        self._cancelled: set[SlotKey] = set()
        self._slots_of: dict[bytes, tuple[SlotKey, ...]] = {}
        self._windows: dict[tuple[int, str], _Window] = {}
        for offset, payload in journal.replay():
            self._index(offset, _decode(payload))

    def enroll(self, record: WalletRecord) -> None:
        """Stage the wallet's enrolment."""
        self._index(self._journal.append(_encode(record)), record)

    def add(self, record: AttemptRecord) -> None:
        """Stage a signed attempt; it counts against the window at once."""
        self._index(self._journal.append(_encode(record)), record)

    def commit(self) -> None:
        """Make everything staged durable with one fsync."""
        self._journal.commit()

    def attempts(self, slot: SlotKey) -> int:
        """How many attempts of `slot` are recorded."""
        return len(self._slots.get(slot, ()))

    def attempt(self, slot: SlotKey, number: int) -> AttemptRecord | None:
        """The recorded attempt, read from the file."""
        offsets = self._slots.get(slot, ())
        if not 1 <= number <= len(offsets):
            return None
        record = _decode(self._journal.read(offsets[number - 1]))
        assert isinstance(record, AttemptRecord)
        return record

    def cancelled(self, slot: SlotKey) -> bool:
        """Whether a cancel of `slot` is recorded: then nothing else is signed for it, ever."""
        return slot in self._cancelled

    def all_attempts(self, slot: SlotKey) -> list[AttemptRecord]:
        """Every recorded attempt, oldest first, read from the file."""
        found = (self.attempt(slot, number + 1) for number in range(self.attempts(slot)))
        return [record for record in found if record is not None]

    def slots_of(
        self, order_digests: Iterable[str], payment_ids: Iterable[str]
    ) -> tuple[SlotKey, ...]:
        """The slots in which one of these orders, or of their payments, was signed; oldest first."""
        found: dict[SlotKey, None] = {}
        for name in _names(order_digests, payment_ids):
            found |= dict.fromkeys(self._slots_of.get(name, ()))
        return tuple(found)

    def first_nonce(self, wallet: WalletKey) -> int | None:
        """Where the latest enrolment began; None if the journal does not know the wallet."""
        return self._first_nonce.get(wallet)

    def next_nonce(self, wallet: WalletKey) -> int | None:
        """One above the highest signed slot; None if the journal does not know the wallet."""
        return self._next_nonce.get(wallet)

    def signed_in_window(self, chain_id: int, asset: str, now_s: int) -> int:
        """Base units of `asset` in slots first signed within the last 24 hours, all wallets."""
        window = self._windows.get((chain_id, asset))
        return window.total(now_s) if window else 0

    def _index(self, offset: int, record: WalletRecord | AttemptRecord) -> None:
        wallet = record.chain_id, record.wallet
        if isinstance(record, WalletRecord):
            for known in (self._first_nonce, self._next_nonce):
                known[wallet] = max(record.next_nonce, known.get(wallet, 0))
            return
        earlier = self._slots.get(record.slot, ())
        self._slots[record.slot] = (*earlier, offset)
        self._next_nonce[wallet] = max(record.nonce + 1, self._next_nonce.get(wallet, 0))
        if record.kind is AttemptKind.CANCEL:
            self._cancelled.add(record.slot)
        if not earlier:
            # One name an order, so that a million of them stay small.
            for name in _names(
                () if record.payment_ids else record.order_digests, record.payment_ids
            ):
                self._slots_of[name] = (*self._slots_of.get(name, ()), record.slot)
        if not earlier and record.kind in _SPENDING and record.asset is not None:
            # A fee bump spends the same money, so a slot counts once. A cancel gives nothing back:
            # only the chain knows which of the two was mined.
            window = self._windows.setdefault((record.chain_id, record.asset), _Window())
            window.add(record.signed_at_s, int(record.amount))


class _Window:
    """A running sum over the last 24 hours."""

    __slots__ = ("_entries", "_sum")

    def __init__(self) -> None:
        self._entries: deque[tuple[int, int]] = deque()
        self._sum = 0

    def add(self, at_s: int, amount_minor: int) -> None:
        self._entries.append((at_s, amount_minor))
        self._sum += amount_minor

    def total(self, now_s: int) -> int:
        while self._entries and self._entries[0][0] <= now_s - WINDOW_S:
            self._sum -= self._entries.popleft()[1]
        return self._sum


def _names(order_digests: Iterable[str], payment_ids: Iterable[str]) -> list[bytes]:
    return [
        *(bytes.fromhex(digest) for digest in order_digests),
        *(UUID(payment_id).bytes for payment_id in payment_ids),
    ]


def _encode(record: WalletRecord | AttemptRecord) -> bytes:
    # Not `asdict`: its deep copies cost as much as the signature.
    content = {field.name: getattr(record, field.name) for field in fields(record)}
    if isinstance(record, WalletRecord):
        content = {"kind": _WALLET, **content}
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def _decode(payload: bytes) -> WalletRecord | AttemptRecord:
    content = json.loads(payload)
    kind = content.pop("kind")
    if kind == _WALLET:
        return WalletRecord(**content)
    if "order_digest" in content:
        content = _of_first_format(content)
    try:
        kind = AttemptKind(kind)
    except ValueError:
        raise ValueError(f"this build does not know journal records of kind {kind!r}") from None
    lists = {name: tuple(content.get(name, ())) for name in ("order_digests", "payment_ids")}
    return AttemptRecord(kind, **{**content, **lists})


def _of_first_format(content: dict[str, Any]) -> dict[str, Any]:
    """A payment as the first format wrote it: one order, whose recipient stood beside it."""
    kept = {name: content[name] for name in content.keys() - _FIRST_FORMAT}
    return {
        **kept,
        "order_digests": [content["order_digest"]],
        "asset": content["token"],
        "amount": content["amount_minor"],
    }
