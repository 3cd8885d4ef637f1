"""Owns exact amounts: integers in base units, and the one grammar that turns text into them.

Must never hold a binary fraction, and never guess: what could be read in two ways is refused.
"""

import re
from dataclasses import dataclass
from decimal import Decimal, localcontext

from treasurer.kernel.errors import InvalidInput

MAX_AMOUNT_MINOR = 2**256 - 1
"""The largest amount an ERC-20 token can hold."""

_AMOUNT = re.compile(r"-?[0-9]{1,60}(\.[0-9]{1,18})?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Asset:
    """A unit of account: an ISO 4217 currency or a token. `decimals` base units' digits a whole."""

    symbol: str
    decimals: int

    def __post_init__(self) -> None:
        if not 0 <= self.decimals <= 18:
            raise InvalidInput("ASSET_DECIMALS", f"{self.symbol}: decimals must lie in 0..18")

    @property
    def base_units(self) -> int:
        """How many base units make one whole unit."""
        return int(10**self.decimals)


@dataclass(frozen=True, slots=True)
class Rate:
    """A rational price: one whole unit of the source is `numerator / denominator` of the target."""

    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        if self.numerator <= 0 or self.denominator <= 0:
            raise InvalidInput("RATE_NOT_POSITIVE", "a rate is a quotient of positive integers")

    def convert(self, amount_minor: int, source: Asset, target: Asset) -> int:
        """Base units of `target` for `amount_minor` of `source`, rounded half-up, once."""
        numerator = amount_minor * self.numerator * target.base_units
        denominator = self.denominator * source.base_units
        rounded = (2 * abs(numerator) + denominator) // (2 * denominator)
        return -rounded if numerator < 0 else rounded

    def convert_up(self, amount_minor: int, source: Asset, target: Asset) -> int:
        """As `convert`, rounded away from zero: for limits, which must never see too little."""
        numerator = amount_minor * self.numerator * target.base_units
        denominator = self.denominator * source.base_units
        rounded = -(-abs(numerator) // denominator)
        return -rounded if numerator < 0 else rounded


PAR = Rate(1, 1)


def parse_decimal(text: str) -> Decimal:
    """Read `-?digits[.digits]` in ASCII, nothing else.

    `Decimal` itself also takes other scripts' digits, exponents, underscores and NaN, all of which
    have been used to make a reader and a payer see different numbers. Raises InvalidInput.
    """
    if not _AMOUNT.fullmatch(text):
        raise InvalidInput(
            "AMOUNT_SYNTAX", "write an amount as plain ASCII digits with one point: 1234.56"
        )
    return Decimal(text)


def to_minor(value: Decimal, asset: Asset) -> int:
    """Exact base units of `value`. Raises InvalidInput if digits would be lost or 2^256 is reached."""
    if not value.is_finite():
        raise InvalidInput("AMOUNT_NOT_FINITE", "an amount is a finite number")
    with localcontext(prec=200):
        scaled = value.scaleb(asset.decimals)
        integral = scaled.to_integral_value()
        if integral != scaled:
            raise InvalidInput(
                "AMOUNT_TOO_PRECISE",
                f"{asset.symbol} has {asset.decimals} decimals; round the amount yourself",
            )
    minor = int(integral)
    if abs(minor) > MAX_AMOUNT_MINOR:
        raise InvalidInput("AMOUNT_TOO_LARGE", "the amount exceeds what a token can hold")
    return minor


def from_minor(amount_minor: int, asset: Asset) -> Decimal:
    """The whole-unit value of `amount_minor`, with exactly `asset.decimals` fraction digits."""
    with localcontext(prec=200):
        return Decimal(amount_minor).scaleb(-asset.decimals)


def format_minor(amount_minor: int, asset: Asset) -> str:
    """For people: grouped thousands and at least two fraction digits, `1,234.50 USDC`."""
    text = f"{from_minor(amount_minor, asset):,f}"
    if asset.decimals > 2:
        whole, _, fraction = text.partition(".")
        text = f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"
    return f"{text} {asset.symbol}"
