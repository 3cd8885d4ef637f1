"""Owns the figures of the treasury at one instant. Pure; must never show an unknown sum as zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from policy.rules.runway import MONTH_DAYS
from treasurer.kernel.money import Asset
from treasurer.ledger.model import Balance


@dataclass(frozen=True, slots=True)
class Overview:
    """Amounts in base units of `reporting`, except each balance's own.

    `cash_minor` is wallets less holds plus banks, None while an asset has no price; it leaves out
    `gas`, which pays for transactions only. `burn_monthly_minor` is None where nobody declared one
    and nothing was paid.
    """

    as_of: datetime
    reporting: Asset
    live: bool
    frozen: bool
    balances: Sequence[Balance]
    gas: Sequence[Balance]
    bank_minor: int
    cash_minor: int | None
    burn_monthly_minor: int | None
    in_flight_minor: int
    settled_24h_minor: int

    @property
    def runway_days(self) -> int | None:
        """Whole days that the cash lasts at this burn; None when either is unknown or none burns."""
        if self.cash_minor is None or not self.burn_monthly_minor:
            return None
        return max(0, self.cash_minor) * MONTH_DAYS // self.burn_monthly_minor
