"""Owns over what a spending window sums: a scope and a period. Must never hold a sum: that is a fact.

The key says which of a scope's sums a payment belongs to, so that producers, the backtest and the
rules mean the same one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from policy.request import PaymentRequest


class Scope(StrEnum):
    """What a window is kept by. `agent` is the sum of all agents together: many are no way around."""

    ORGANIZATION = "organization"
    PAYEE = "payee"
    INITIATOR = "initiator"
    AGENT = "agent"
    ASSET = "asset"
    NETWORK = "network"
    CATEGORY = "category"


class Period(StrEnum):
    """How far back a window reaches. A calendar month begins at midnight UTC of its first day."""

    DAY = "24 h"
    WEEK = "7 days"
    THIRTY_DAYS = "30 days"
    MONTH = "calendar month"


_SPANS = {
    Period.DAY: timedelta(hours=24),
    Period.WEEK: timedelta(days=7),
    Period.THIRTY_DAYS: timedelta(days=30),
}
LONGEST = timedelta(days=31)
"""No window reaches farther back than this, but for its oldest minute."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One kind of sum, such as what each payee was paid within 7 days."""

    scope: Scope
    period: Period

    def __str__(self) -> str:
        return f"{self.scope}.{self.period}".replace(" ", "_")


def first_minute(period: Period, now: datetime) -> datetime:
    """The oldest minute that still counts, and counts whole.

    A minute drops out only when all of it lies before the window.
    """
    minute = now.replace(second=0, microsecond=0)
    if period is Period.MONTH:
        return minute.replace(day=1, hour=0, minute=0)
    return minute - _SPANS[period]


def key_of(scope: Scope, request: PaymentRequest, category: str | None) -> str | None:
    """Which sum of `scope` the payment counts in; None: in none (no agent's, no category's)."""
    match scope:
        case Scope.ORGANIZATION:
            return ""
        case Scope.PAYEE:
            return request.payee_id
        case Scope.INITIATOR:
            return request.initiator_id
        case Scope.AGENT:
            return "" if request.initiator_kind == "agent" else None
        case Scope.ASSET:
            return request.asset
        case Scope.NETWORK:
            return str(request.chain_id)
        case Scope.CATEGORY:
            return category or None
