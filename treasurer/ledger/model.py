"""Owns double entry. Pure; must never let an entry be written that does not sum to zero an asset.

A positive posting is a debit, a negative one a credit, in base units. Entries are immutable and are
corrected by reversal. Holds follow place, then post or void.
"""

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import AccountId, HoldId, PaymentId, TransferId, WalletId
from treasurer.kernel.money import Asset


class AccountKind(StrEnum):
    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expense"


@dataclass(frozen=True, slots=True)
class AccountCode:
    """The name of an account within its organization; one asset each."""

    code: str
    kind: AccountKind
    asset: Asset


def wallet_account(wallet_id: WalletId, asset: Asset) -> AccountCode:
    """What a wallet holds of one asset."""
    return AccountCode(f"wallet:{wallet_id}:{asset.symbol}", AccountKind.ASSET, asset)


def supplier_expense(asset: Asset) -> AccountCode:
    """Where paid supplier invoices are booked."""
    return AccountCode(f"expense:suppliers:{asset.symbol}", AccountKind.EXPENSE, asset)


def network_fees(asset: Asset) -> AccountCode:
    """Gas actually paid, for every mined attempt."""
    return AccountCode(f"expense:network-fees:{asset.symbol}", AccountKind.EXPENSE, asset)


def opening_equity(asset: Asset) -> AccountCode:
    """Counterpart of what a wallet held when it was taken into the books."""
    return AccountCode(f"equity:opening:{asset.symbol}", AccountKind.EQUITY, asset)


def supplier_refunds(asset: Asset) -> AccountCode:
    """What payees sent back, until a credit note says what for."""
    return AccountCode(f"income:supplier-refunds:{asset.symbol}", AccountKind.INCOME, asset)


def suspense(asset: Asset) -> AccountCode:
    """What came from, or went to, somebody unknown, until people say what it was."""
    return AccountCode(f"liability:suspense:{asset.symbol}", AccountKind.LIABILITY, asset)


def transit(asset: Asset) -> AccountCode:
    """On the way between two own wallets: our transfer takes it out, its arrival brings it in."""
    return AccountCode(f"asset:transit:{asset.symbol}", AccountKind.ASSET, asset)


@dataclass(frozen=True, slots=True)
class Posting:
    """One leg of an entry."""

    account_id: AccountId
    asset: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A balanced fact. (kind, reference) is unique: booking the same fact twice is refused."""

    kind: str
    reference_id: UUID
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        sums: dict[str, int] = defaultdict(int)
        for posting in self.postings:
            sums[posting.asset] += posting.amount_minor
        if not self.postings or any(sums.values()):
            raise InvariantViolated(
                "UNBALANCED_ENTRY",
                f"{self.kind} {self.reference_id} does not sum to zero: {dict(sums)}",
            )


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside for a transfer: the amount itself or the gas it may cost."""

    id: HoldId
    account_id: AccountId
    transfer_id: TransferId
    payment_id: PaymentId | None
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account shows. `available` = posted − held; negative stops outflows (I8)."""

    account_id: AccountId
    code: str
    asset: Asset
    posted_minor: int
    held_minor: int

    @property
    def available_minor(self) -> int:
        return self.posted_minor - self.held_minor
