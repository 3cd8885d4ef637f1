"""Owns what may be asked of the signer, one type a kind, as caller and signer both read it.

Must never carry a call: the signer builds each transaction from the order by itself.
"""

from dataclasses import dataclass
from typing import TypeAlias

from treasurer.kernel.transaction import FeeTerms


@dataclass(frozen=True, slots=True)
class EndedSlot:
    """How an earlier slot of an order ended: the own transaction of it that a final block holds, a cancel
    or one that reverted; None if a stranger's used it up.
    """

    wallet: str
    nonce: int
    transaction_hash: bytes | None


@dataclass(frozen=True, slots=True)
class SignPayment:
    """Pay `orders` (canonical bytes) from `sender` in slot `nonce`, as attempt 1, 2, …

    One order is a transfer of its token, and `disperse` is None. Several are one batch through the
    contract at `disperse`. `ended` names every earlier slot in which one of these orders was signed.
    """

    orders: tuple[bytes, ...]
    sender: str
    nonce: int
    attempt: int
    fees: FeeTerms
    disperse: str | None = None
    ended: tuple[EndedSlot, ...] = ()


@dataclass(frozen=True, slots=True)
class SignCancel:
    """Use slot `nonce` of `sender` up without paying. It names no order, so that none is needed."""

    chain_id: int
    sender: str
    nonce: int
    attempt: int
    fees: FeeTerms


@dataclass(frozen=True, slots=True)
class SignAllowance:
    """Let the order's spender move an exact amount; `order` holds the bytes of an AllowanceOrder."""

    order: bytes
    nonce: int
    attempt: int
    fees: FeeTerms


@dataclass(frozen=True, slots=True)
class SignTopUp:
    """Move gas money between own wallets; `order` holds the bytes of a TopUpOrder."""

    order: bytes
    nonce: int
    attempt: int
    fees: FeeTerms


SignRequest: TypeAlias = SignPayment | SignCancel | SignAllowance | SignTopUp
