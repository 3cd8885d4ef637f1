"""Owns what is known around a payment: its payee's history, its initiator, its evidence, the hour.

Must never fetch anything. Each is one fact; one that could not be had is None in `policy.facts`.
"""

from dataclasses import dataclass
from datetime import datetime

from policy.codec import Fields
from policy.scopes import Period, Scope, Window
from treasurer.kernel.clock import iso
from treasurer.kernel.digest import Canonical


@dataclass(frozen=True, slots=True)
class ScopedSum:
    """One window's sum for the scope of this payment: in flight plus settled, WITHOUT the payment."""

    window: Window
    sum_minor: int
    as_of: datetime

    def document(self) -> dict[str, Canonical]:
        return {
            "scope": self.window.scope.value,
            "period": self.window.period.value,
            "sum_minor": str(self.sum_minor),
            "as_of": iso(self.as_of),
        }


@dataclass(frozen=True, slots=True)
class HistoryFact:
    """The newest settled payments to the payee, at most 50 of them.

    `to_address` counts those to the very address. `median_minor` and `spread_minor` are the lower
    median of their reporting amounts and of the distances from it (MAD); 0 without payments.
    """

    payments: int
    to_address: int
    median_minor: int
    spread_minor: int

    def document(self) -> dict[str, Canonical]:
        return {
            "payments": self.payments,
            "to_address": self.to_address,
            "median_minor": str(self.median_minor),
            "spread_minor": str(self.spread_minor),
        }


def history_of(amounts_minor: list[int], to_address: int) -> HistoryFact:
    """The fact of these reporting amounts. Lower medians: an even count leans to the strict side."""
    if not amounts_minor:
        return HistoryFact(0, 0, 0, 0)
    middle = (len(amounts_minor) - 1) // 2
    median_minor = sorted(amounts_minor)[middle]
    spread_minor = sorted(abs(amount - median_minor) for amount in amounts_minor)[middle]
    return HistoryFact(len(amounts_minor), to_address, median_minor, spread_minor)


@dataclass(frozen=True, slots=True)
class LocalTimeFact:
    """`now` on the clocks of `zone` (IANA): date as 2026-11-02, weekday 1 (Monday) to 7, minute of day.

    A fact, because the rules of time zones change, and a decision must replay all the same.
    """

    zone: str
    date: str
    weekday: int
    minute: int

    def document(self) -> dict[str, Canonical]:
        return {
            "zone": self.zone,
            "date": self.date,
            "weekday": self.weekday,
            "minute": self.minute,
        }


@dataclass(frozen=True, slots=True)
class SanctionsFact:
    """What of payee and address stands on the sanctions list that was loaded at `as_of`."""

    hits: tuple[str, ...]
    as_of: datetime

    def document(self) -> dict[str, Canonical]:
        return {"hits": list(self.hits), "as_of": iso(self.as_of)}


@dataclass(frozen=True, slots=True)
class NetworkFact:
    """The payment's network as read at `as_of`: when its newest block was made, and what gas costs.

    `gas_price_wei` is base fee and usual tip of a unit of gas.
    """

    head_at: datetime
    gas_price_wei: int
    as_of: datetime

    def document(self) -> dict[str, Canonical]:
        return {
            "head_at": iso(self.head_at),
            "gas_price_wei": str(self.gas_price_wei),
            "as_of": iso(self.as_of),
        }


def scoped_sum_from(source: Fields) -> ScopedSum:
    """Inverse of `ScopedSum.document`. Raises InvalidInput with the field at fault."""
    scope, period = source.text("scope"), source.text("period")
    if scope not in set(Scope):
        source.refuse("scope", f"one of {', '.join(Scope)} belongs here")
    if period not in set(Period):
        source.refuse("period", f"one of {', '.join(Period)} belongs here")
    found = ScopedSum(
        Window(Scope(scope), Period(period)), source.amount("sum_minor"), source.instant("as_of")
    )
    source.done()
    return found


def history_from(source: Fields) -> HistoryFact:
    """Inverse of `HistoryFact.document`."""
    return HistoryFact(
        source.integer("payments"),
        source.integer("to_address"),
        source.amount("median_minor"),
        source.amount("spread_minor"),
    )


def local_time_from(source: Fields) -> LocalTimeFact:
    """Inverse of `LocalTimeFact.document`."""
    return LocalTimeFact(
        source.text("zone"),
        source.text("date"),
        source.integer("weekday"),
        source.integer("minute"),
    )


def sanctions_from(source: Fields) -> SanctionsFact:
    """Inverse of `SanctionsFact.document`."""
    return SanctionsFact(texts_from(source, "hits") or (), source.instant("as_of"))


def network_from(source: Fields) -> NetworkFact:
    """Inverse of `NetworkFact.document`."""
    return NetworkFact(
        source.instant("head_at"), source.amount("gas_price_wei"), source.instant("as_of")
    )


def texts_from(source: Fields, key: str) -> tuple[str, ...] | None:
    """An array of strings, or None where the field is absent."""
    items = source.items(key)
    if items is None:
        return None
    if not all(isinstance(item, str) for item in items):
        source.refuse(key, "an array of strings belongs here")
    return tuple(str(item) for item in items)
