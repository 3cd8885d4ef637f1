"""Owns where prices come from. Must never invent one: without a source there is no price.

`DeclaredPar` serves until market feeds are connected. It is an operator's declaration, not an
observation, and says so in its source's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from treasurer.kernel.clock import Clock
from treasurer.kernel.money import PAR, Rate


@dataclass(frozen=True, slots=True)
class Price:
    """One whole `asset` in whole units of `currency`, as of an instant, from named sources."""

    asset: str
    currency: str
    rate: Rate
    sources: tuple[str, ...]
    as_of: datetime
    in_peg_band: bool


class PriceFeed(Protocol):
    async def price(self, asset: str, currency: str) -> Price | None:
        """The newest price, or None when no source knows one. No transaction may span this call."""
        ...


class DeclaredPar:
    """Tokens that their issuer redeems one to one, as the network profile declares them."""

    def __init__(self, pegs: Mapping[str, str], clock: Clock) -> None:
        self._pegs = pegs
        self._clock = clock

    async def price(self, asset: str, currency: str) -> Price | None:
        if asset != currency and self._pegs.get(asset) != currency:
            return None
        return Price(asset, currency, PAR, ("declared-par",), self._clock(), in_peg_band=True)
