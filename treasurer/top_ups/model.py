"""Owns what a top-up is and how it ends. Pure; must never leave the organization's own wallets."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from treasurer.kernel.ids import WalletId
from treasurer.kernel.top_up_order import TopUpOrder

WINDOW = timedelta(hours=24)
"""What the policy's cap sums over."""
REST_AFTER_VOID = timedelta(hours=1)
"""A wallet whose top-up came to nothing waits that long: each try costs the gas of a cancel."""


class TopUpState(StrEnum):
    """On its way in a transfer until that ends."""

    EXECUTING = "executing"
    SETTLED = "settled"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class TopUp:
    """The order that the signer gets, and the own wallet that stands behind its recipient."""

    order: TopUpOrder
    recipient_wallet_id: WalletId
