"""Owns what the journal's records mean: which content a slot has, and how much was signed when.

Must never answer from memory alone: contents are read back from the file, only places are indexed,
so that a million slots cost places and not transactions.
"""

import json
from collections import deque
from dataclasses import dataclass, fields
from typing import TypeAlias

from signer.journal import Journal
from treasurer.kernel.transaction import FeeTerms

WINDOW_S = 24 * 60 * 60
"""Length of the rolling window of the caps."""

WalletKey: TypeAlias = tuple[int, str]
"""Chain id and lower-case address: nonces count per wallet on each chain."""
SlotKey: TypeAlias = tuple[int, str, int]
"""Chain id, wallet and nonce."""


@dataclass(frozen=True, slots=True)
class WalletRecord:
    """The enrolment of a wallet on a chain: no slot below `next_nonce` is ours to sign."""

    chain_id: int
    wallet: str
    next_nonce: int


@dataclass(frozen=True, slots=True)
class PaymentRecord:
    """One signed attempt. Byte strings are hexadecimal, `amount_minor` is in base units."""

    chain_id: int
    wallet: str
    nonce: int
    attempt: int
    signed_at_s: int
    order_digest: str
    call_digest: str
    unsigned_hash: str
    token: str
    recipient: str
    amount_minor: str
    gas_limit: int
    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int
    transaction_hash: str
    raw: str

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
        self._windows: dict[WalletKey, _Window] = {}
        for offset, payload in journal.replay():
            self._index(offset, _decode(payload))

    def enroll(self, record: WalletRecord) -> None:
        """Stage the wallet's enrolment."""
        self._index(self._journal.append(_encode("wallet", record)), record)

    def add(self, record: PaymentRecord) -> None:
        """Stage a signed attempt; it counts against the window at once."""
        self._index(self._journal.append(_encode("payment", record)), record)

    def commit(self) -> None:
        """Make everything staged durable with one fsync."""
        self._journal.commit()

    def attempts(self, slot: SlotKey) -> int:
        """How many attempts of `slot` are recorded."""
        return len(self._slots.get(slot, ()))

    def attempt(self, slot: SlotKey, number: int) -> PaymentRecord | None:
        """The recorded attempt, read from the file."""
        offsets = self._slots.get(slot, ())
        if not 1 <= number <= len(offsets):
            return None
        record = _decode(self._journal.read(offsets[number - 1]))
        assert isinstance(record, PaymentRecord)
        return record

    def first_nonce(self, wallet: WalletKey) -> int | None:
        """Where the latest enrolment began; None if the journal does not know the wallet."""
        return self._first_nonce.get(wallet)

    def next_nonce(self, wallet: WalletKey) -> int | None:
        """One above the highest signed slot; None if the journal does not know the wallet."""
        return self._next_nonce.get(wallet)

    def signed_in_window(self, chain_id: int, token: str, now_s: int) -> int:
        """Base units of `token` in slots first signed within the last 24 hours, all wallets."""
        window = self._windows.get((chain_id, token))
        return window.total(now_s) if window else 0

    def _index(self, offset: int, record: WalletRecord | PaymentRecord) -> None:
        wallet = record.chain_id, record.wallet
        if isinstance(record, WalletRecord):
            for known in (self._first_nonce, self._next_nonce):
                known[wallet] = max(record.next_nonce, known.get(wallet, 0))
            return
        earlier = self._slots.get(record.slot, ())
        self._slots[record.slot] = (*earlier, offset)
        self._next_nonce[wallet] = max(record.nonce + 1, self._next_nonce.get(wallet, 0))
        if not earlier:
            # A fee bump spends the same money, so a slot counts once.
            window = self._windows.setdefault((record.chain_id, record.token), _Window())
            window.add(record.signed_at_s, int(record.amount_minor))


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


def _encode(kind: str, record: WalletRecord | PaymentRecord) -> bytes:
    # Not `asdict`: its deep copies cost as much as the signature.
    content = {field.name: getattr(record, field.name) for field in fields(record)}
    return json.dumps({"kind": kind, **content}, separators=(",", ":")).encode("ascii")


def _decode(payload: bytes) -> WalletRecord | PaymentRecord:
    content = json.loads(payload)
    kind = content.pop("kind")
    if kind == "wallet":
        return WalletRecord(**content)
    if kind == "payment":
        return PaymentRecord(**content)
    raise ValueError(f"this build does not know journal records of kind {kind!r}")
